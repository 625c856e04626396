/* SPDX-License-Identifier: BSD-2-Clause */
/* The ctl socket's file: mode, lock, stale ones, and what is left alone. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "ctl/socket.h"

static char folder[] = "/tmp/mcmig-test-ctl-XXXXXX";
static char path[64];

static mode_t mode_of(const char *file)
{
	struct stat status;

	return lstat(file, &status) ? 0 : status.st_mode;
}

static int bound_socket(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(address.sun_path, path);
	CU_ASSERT_EQUAL_FATAL(
	    bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void test_a_stale_one_is_replaced(void)
{
	struct ctl_socket ctl;

	close(bound_socket());
	CU_ASSERT_EQUAL_FATAL(ctl_socket_open(&ctl, path), 0);
	CU_ASSERT_EQUAL(mode_of(path), S_IFSOCK | 0660);
	ctl_socket_close(&ctl);
	CU_ASSERT_EQUAL(mode_of(path), 0);
	ctl_socket_close(&ctl);
}

static void test_a_strict_umask_does_not_shut_the_group_out(void)
{
	mode_t old = umask(0077);
	struct ctl_socket ctl;

	CU_ASSERT_EQUAL(ctl_socket_open(&ctl, path), 0);
	CU_ASSERT_EQUAL(mode_of(path), S_IFSOCK | 0660);
	ctl_socket_close(&ctl);
	umask(old);
}

static void test_one_daemon_has_it(void)
{
	struct ctl_socket first, second;

	CU_ASSERT_EQUAL_FATAL(ctl_socket_open(&first, path), 0);
	CU_ASSERT_EQUAL(ctl_socket_open(&second, path), EADDRINUSE);
	CU_ASSERT_EQUAL(mode_of(path), S_IFSOCK | 0660);
	ctl_socket_close(&first);
	CU_ASSERT_EQUAL(ctl_socket_open(&second, path), 0);
	ctl_socket_close(&second);
}

/* Another program's, that takes no lock. */
static void test_one_that_is_answered_is_left_alone(void)
{
	int fd = bound_socket();
	struct ctl_socket ctl;

	listen(fd, 1);
	CU_ASSERT_EQUAL(ctl_socket_open(&ctl, path), EADDRINUSE);
	CU_ASSERT(S_ISSOCK(mode_of(path)));
	close(fd);
	unlink(path);
}

static void test_another_file_is_left_alone(void)
{
	struct ctl_socket ctl;

	fclose(fopen(path, "w"));
	CU_ASSERT_EQUAL(ctl_socket_open(&ctl, path), EEXIST);
	CU_ASSERT(S_ISREG(mode_of(path)));
	unlink(path);
}

/* Somebody removed ours and put theirs there. */
static void test_only_ours_is_removed(void)
{
	struct ctl_socket ctl;

	CU_ASSERT_EQUAL_FATAL(ctl_socket_open(&ctl, path), 0);
	unlink(path);
	fclose(fopen(path, "w"));
	ctl_socket_close(&ctl);
	CU_ASSERT(S_ISREG(mode_of(path)));
	unlink(path);
}

static void test_paths_that_cannot_be(void)
{
	struct ctl_socket ctl;
	char none[80], longest[200];

	snprintf(none, sizeof(none), "%s/none/ctl", folder);
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	CU_ASSERT_EQUAL(ctl_socket_open(&ctl, none), ENOENT);
	CU_ASSERT_EQUAL(ctl_socket_open(&ctl, ""), EINVAL);
	CU_ASSERT_EQUAL(ctl_socket_open(&ctl, longest), EINVAL);
}

static int start(void)
{
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/ctl", folder);
	return 0;
}

static int stop(void)
{
	char lock[80];

	snprintf(lock, sizeof(lock), "%s.lock", path);
	unlink(lock);
	return rmdir(folder);
}

static CU_TestInfo socket_tests[] = {
	{ "a stale one is replaced", test_a_stale_one_is_replaced },
	{ "a strict umask does not shut the group out",
	  test_a_strict_umask_does_not_shut_the_group_out },
	{ "one daemon has it", test_one_daemon_has_it },
	{ "one that is answered is left alone",
	  test_one_that_is_answered_is_left_alone },
	{ "another file is left alone", test_another_file_is_left_alone },
	{ "only ours is removed", test_only_ours_is_removed },
	{ "paths that cannot be", test_paths_that_cannot_be },
	CU_TEST_INFO_NULL,
};

CU_SuiteInfo unit_suites[] = {
	{ "ctl socket", start, stop, NULL, NULL, socket_tests },
	CU_SUITE_INFO_NULL,
};
