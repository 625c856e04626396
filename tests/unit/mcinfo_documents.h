/* SPDX-License-Identifier: BSD-2-Clause */
/* Documents that the tests of the parser vary. */
#ifndef MCMIG_TESTS_MCINFO_DOCUMENTS_H
#define MCMIG_TESTS_MCINFO_DOCUMENTS_H

#define MCPTT "application/vnd.3gpp.mcptt-info+xml"
#define NAMESPACE "urn:uuid:5fec72a9-f7d2-40d2-a6ec-5e5a7fd7607b"
#define PROCEDURE "0b8a2f0e-6c7f-4b6f-9b43-2b8a4f7d1c55"
#define PARTNER \
	"<partner-mc-service-id>sip:visitor@b.example</partner-mc-service-id>"
#define PRIMARY \
	"<primary-mc-service-id>sip:alice@a.example</primary-mc-service-id>"
#define PROFILE "<profile-index>3</profile-index>"
#define TOKEN                                                      \
	"<mcptt-access-token type=\"Normal\"><mcpttString>eyJ.a.b" \
	"</mcpttString></mcptt-access-token>"
#define MIGRATION "<migration xmlns=\"" NAMESPACE "\">"
#define OPEN                                                                  \
	"<mcpttinfo xmlns=\"urn:3gpp:ns:mcpttInfo:1.0\"><mcptt-Params>" TOKEN \
	"<anyExt>" MIGRATION
#define CLOSE "</migration></anyExt></mcptt-Params></mcpttinfo>"

#define REQUEST                                                        \
	OPEN "<authorization-request procedure=\"" PROCEDURE           \
	     "\" sequence=\"17\" order=\"5\">" PARTNER PRIMARY PROFILE \
	     "</authorization-request>" CLOSE
#define DEREQUEST                                        \
	OPEN "<deauthorization-request>" PARTNER PRIMARY \
	     "</deauthorization-request>" CLOSE
#define SUCCESS                                         \
	OPEN "<authorization-response>" PARTNER PRIMARY \
	     "<result>success</result></authorization-response>" CLOSE
#define FAILURE                                                              \
	OPEN "<deauthorization-response>" PARTNER PRIMARY                    \
	     "<result>failure</result><cause>ended</cause><text>over</text>" \
	     "</deauthorization-response>" CLOSE

#endif
