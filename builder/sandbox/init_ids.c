/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whom processes take themselves for, in a namespace with one id. They become other users and see
 * that they have, which programs check after they have given up rights; the kernel knows nothing
 * of it, and what they may do stays the same.
 *
 * What a process is has to be told to those that it starts, and to survive exec. The kernel hands
 * resource limits down so, and RLIMIT_LOCKS has meant nothing since Linux 2.4: its soft limit is
 * the number of an entry of our list.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "builder/sandbox/init_calls.h"

enum { REAL, EFFECTIVE, SAVED, IDS };

/* Limits that are ours begin here. */
#define FIRST_LIMIT (UINT64_C(0x7862) << 32)
/* A step with more users than that is after something else. */
#define MAX_IDENTITIES 4096

const struct init_identity *init_ids_of(const struct init_calls *calls, pid_t pid)
{
	struct rlimit limit = { .rlim_cur = RLIM_INFINITY };
	uint64_t at;

	if (prlimit(pid, RLIMIT_LOCKS, NULL, &limit) < 0)
		return &calls->identities.items[0];
	at = limit.rlim_cur - FIRST_LIMIT;
	return &calls->identities.items[at < calls->identities.len ? at : 0];
}

/* The number of an entry that is equal, made when there is none. */
static size_t index_of(struct init_calls *calls, const struct init_identity *identity)
{
	for (size_t i = 0; i < calls->identities.len; i++)
		if (memcmp(&calls->identities.items[i], identity, sizeof(*identity)) == 0)
			return i;
	*xb_array_push(&calls->identities) = *identity;
	return calls->identities.len - 1;
}

static int64_t become(struct init_calls *calls, const struct init_call *call,
		      const struct init_identity *identity)
{
	struct rlimit limit;

	if (calls->identities.len >= MAX_IDENTITIES)
		return -EAGAIN;
	if (prlimit(call->pid, RLIMIT_LOCKS, NULL, &limit) < 0)
		return -EPERM;
	limit.rlim_cur = FIRST_LIMIT + index_of(calls, identity);
	/* where the limit is taken otherwise, the process is told that it is done nevertheless */
	(void)prlimit(call->pid, RLIMIT_LOCKS, &limit, NULL);
	return 0;
}

/* What the kernel asks for is a capability, which a process may keep when it becomes a user. */
static bool is_privileged(const struct init_identity *identity)
{
	return identity->uid[EFFECTIVE] == 0 || identity->keeps != 0;
}

/* The kernel carries it out as well. */
static int64_t keep_rights(struct init_calls *calls, const struct init_call *call)
{
	struct init_identity identity = *init_ids_of(calls, call->pid);

	identity.keeps = call->args[1] == 1;
	(void)become(calls, call, &identity);
	return INIT_CALL_AS_IT_IS;
}

/* ---- becoming ----------------------------------------------------------------------------- */

static bool is_one_of(const uint32_t ids[IDS], uint32_t id)
{
	return id == INIT_KEEP || id == ids[REAL] || id == ids[EFFECTIVE] || id == ids[SAVED];
}

/* setresuid(), to which the others come down. */
static int set_ids(uint32_t ids[IDS], const uint32_t wanted[IDS], bool privileged)
{
	for (size_t i = 0; i < IDS; i++)
		if (!privileged && !is_one_of(ids, wanted[i]))
			return -EPERM;
	for (size_t i = 0; i < IDS; i++)
		if (wanted[i] != INIT_KEEP)
			ids[i] = wanted[i];
	return 0;
}

/* setuid(): root changes all of them; others go back to the real or the saved one. */
static int set_one(uint32_t ids[IDS], uint32_t id, bool privileged)
{
	const uint32_t keep = privileged ? id : INIT_KEEP;
	const uint32_t wanted[IDS] = { keep, id, keep };

	if (!privileged && id != ids[REAL] && id != ids[SAVED])
		return -EPERM;
	return set_ids(ids, wanted, privileged);
}

/* setreuid(): the saved id follows the effective one when that, or the real one, is set anew. */
static int set_two(uint32_t ids[IDS], uint32_t real, uint32_t effective, bool privileged)
{
	bool follows = real != INIT_KEEP || (effective != INIT_KEEP && effective != ids[REAL]);
	const uint32_t wanted[IDS] = { real, effective, INIT_KEEP };
	int r;

	/* the saved id may become the effective one, not the real one */
	if (!privileged && real != INIT_KEEP && real != ids[REAL] && real != ids[EFFECTIVE])
		return -EPERM;
	r = set_ids(ids, wanted, privileged);
	if (r == 0 && follows)
		ids[SAVED] = ids[EFFECTIVE];
	return r;
}

static int compare(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

void init_ids_sort(struct init_identity *identity)
{
	qsort(identity->groups, identity->count, sizeof(*identity->groups), compare);
}

static int set_groups(struct init_identity *identity, const struct init_call *call)
{
	size_t count = (uint32_t)call->args[0];
	size_t width = call->is_short ? sizeof(uint16_t) : sizeof(uint32_t);

	if (!is_privileged(identity))
		return -EPERM;
	if (count > INIT_MAX_GROUPS)
		count = INIT_MAX_GROUPS;
	memset(identity->groups, 0, sizeof(identity->groups));
	identity->count = (uint32_t)count;
	for (size_t i = 0; i < count; i++) {
		uint16_t narrow = 0;
		void *to = call->is_short ? (void *)&narrow : (void *)&identity->groups[i];

		if (init_call_read(call, call->args[1] + i * width, to, width) != (ssize_t)width)
			return -EFAULT;
		if (call->is_short)
			identity->groups[i] = narrow;
	}
	init_ids_sort(identity);
	return 0;
}

static int64_t set(struct init_calls *calls, const struct init_call *call)
{
	struct init_identity identity = *init_ids_of(calls, call->pid);
	bool privileged = is_privileged(&identity);
	uint32_t *ids = call->kind < INIT_SETGID ? identity.uid : identity.gid;
	const uint32_t wanted[IDS] = { init_call_id(call, call->args[0]),
				       init_call_id(call, call->args[1]),
				       init_call_id(call, call->args[2]) };
	int r;

	if (call->kind == INIT_SETUID || call->kind == INIT_SETGID)
		r = set_one(ids, wanted[0], privileged);
	else if (call->kind == INIT_SETREUID || call->kind == INIT_SETREGID)
		r = set_two(ids, wanted[0], wanted[1], privileged);
	else if (call->kind == INIT_SETGROUPS)
		r = set_groups(&identity, call);
	else if (call->kind == INIT_SETFSUID || call->kind == INIT_SETFSGID)
		return ids[EFFECTIVE]; /* the value before, which it stays */
	else
		r = set_ids(ids, wanted, privileged);
	return r < 0 ? r : become(calls, call, &identity);
}

/* ---- asking ------------------------------------------------------------------------------- */

static int write_id(const struct init_call *call, uint64_t address, uint32_t id)
{
	uint16_t narrow = (uint16_t)id;

	return call->is_short ? init_call_write(call, address, &narrow, sizeof(narrow))
			      : init_call_write(call, address, &id, sizeof(id));
}

static int64_t get_all(const struct init_call *call, const uint32_t ids[IDS])
{
	int r = 0;

	for (size_t i = 0; i < IDS && r == 0; i++)
		r = write_id(call, call->args[i], ids[i]);
	return r;
}

static int64_t get_groups(const struct init_call *call, const struct init_identity *identity)
{
	size_t width = call->is_short ? sizeof(uint16_t) : sizeof(uint32_t);
	uint32_t room = (uint32_t)call->args[0];
	int r = 0;

	if (room == 0)
		return identity->count;
	if (room < identity->count)
		return -EINVAL;
	for (size_t i = 0; i < identity->count && r == 0; i++)
		r = write_id(call, call->args[1] + i * width, identity->groups[i]);
	return r < 0 ? r : (int64_t)identity->count;
}

int64_t init_ids_answer(struct init_calls *calls, const struct init_call *call)
{
	const struct init_identity *identity = init_ids_of(calls, call->pid);

	switch (call->kind) {
	case INIT_GETUID:
		return identity->uid[REAL];
	case INIT_GETEUID:
		return identity->uid[EFFECTIVE];
	case INIT_GETGID:
		return identity->gid[REAL];
	case INIT_GETEGID:
		return identity->gid[EFFECTIVE];
	case INIT_GETRESUID:
		return get_all(call, identity->uid);
	case INIT_GETRESGID:
		return get_all(call, identity->gid);
	case INIT_GETGROUPS:
		return get_groups(call, identity);
	case INIT_KEEPCAPS:
		return keep_rights(calls, call);
	default:
		return set(calls, call);
	}
}
