/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sofia's own TLS, as a server without anything of ours: no test, scripts/bench
 * runs it (tls-sofia). Each line on standard input is answered with the bytes
 * of the heap that are in use, and those of the process.
 *   measure_sofia_tls DIR PORT	(agent.pem and cafile.pem are in DIR)
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <sofia-sip/nta.h>
#include <sofia-sip/nta_tport.h>
#include <sofia-sip/sip_util.h>
#include <sofia-sip/su_log.h>
#include <sofia-sip/su_wait.h>
#include <sofia-sip/tport_tag.h>

#define BACKLOG 1000
#define IDLE_MS 2000 /* so that no figure waits for what is only idle */

static int ignore(nta_agent_magic_t *magic, nta_agent_t *agent, msg_t *msg,
		  sip_t *sip)
{
	(void)magic;
	(void)sip;
	nta_msg_discard(agent, msg);
	return 0;
}

static unsigned long resident_bytes(void)
{
	unsigned long pages = 0;
	FILE *file = fopen("/proc/self/statm", "r");

	if (!file)
		return 0;
	if (fscanf(file, "%*u %lu", &pages) != 1)
		pages = 0;
	fclose(file);
	return pages * (unsigned long)sysconf(_SC_PAGESIZE);
}

static int answer(su_root_magic_t *root, su_wait_t *wait, su_wakeup_arg_t *arg)
{
	char line[16];
	ssize_t bytes = read(STDIN_FILENO, line, sizeof(line));
	struct mallinfo2 heap = mallinfo2();

	(void)wait;
	(void)arg;
	if (bytes <= 0) {
		su_root_break((su_root_t *)root);
		return 0;
	}
	printf("%zu %lu\n", heap.uordblks + heap.hblkhd, resident_bytes());
	fflush(stdout);
	return 0;
}

static nta_agent_t *create_agent(su_root_t *root, const char *folder,
				 const char *port)
{
	char url[64];
	nta_agent_t *agent;

	agent =
	    nta_agent_create(root, (url_string_t *)-1, ignore, NULL,
			     NTATAG_USE_NAPTR(0), NTATAG_USE_SRV(0), TAG_END());
	if (!agent)
		return NULL;
	snprintf(url, sizeof(url), "sips:127.0.0.1:%s;transport=tls", port);
	if (nta_agent_add_tport(agent, (const url_string_t *)url,
				TPTAG_CERTIFICATE(folder), TPTAG_IDLE(IDLE_MS),
				TAG_END())) {
		nta_agent_destroy(agent);
		return NULL;
	}
	return agent;
}

int main(int argc, char **argv)
{
	su_root_t *root;
	nta_agent_t *agent;
	su_wait_t wait;
	int input;

	if (argc != 3)
		return 64;
	su_init();
	root = su_root_create(NULL);
	if (!root)
		return 1;
	agent = create_agent(root, argv[1], argv[2]);
	if (!agent)
		return 1;
	su_wait_create(&wait, STDIN_FILENO, SU_WAIT_IN);
	/* Its handler gets the root itself. */
	su_root_set_magic(root, (su_root_magic_t *)root);
	input = su_root_register(root, &wait, answer, NULL, 0);
	printf("ready %s\n", nta_agent_version(agent));
	fflush(stdout);
	su_root_run(root);
	su_root_deregister(root, input);
	nta_agent_destroy(agent);
	su_root_destroy(root);
	su_deinit();
	return 0;
}
