/* SPDX-License-Identifier: Apache-2.0 */
/* Overlays or copies: what is found out, by a machine whose calls fail when they are told to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <pthread.h>
#include <sys/mount.h>
#include <sys/xattr.h>

#include "base/proc.h"
#include "builder/cache/means.h"
#include "tests/unit/builder/cache/fixture.h"

/* What the next calls give, 0: what the kernel does. */
static struct {
	int overlay; /* opening the file system */
	int device;  /* a device 0/0 */
	int mark;    /* the attribute of an opaque directory */
	int room;    /* a new directory in a snapshot's work directory */
} faults;

#define REAL(type, name) ((type)dlsym(RTLD_NEXT, name))

static int failed(int error)
{
	errno = error;
	return -1;
}

/* Instead of the C library's. */
int fsopen(const char *name, unsigned flags)
{
	return faults.overlay != 0 ? failed(faults.overlay)
				   : REAL(int (*)(const char *, unsigned), "fsopen")(name, flags);
}

int mknodat(int dir, const char *name, mode_t mode, dev_t dev)
{
	return faults.device != 0 && S_ISCHR(mode) ? failed(faults.device)
						   : REAL(int (*)(int, const char *, mode_t, dev_t),
							  "mknodat")(dir, name, mode, dev);
}

int fsetxattr(int fd, const char *name, const void *value, size_t len, int flags)
{
	return faults.mark != 0 ? failed(faults.mark)
				: REAL(int (*)(int, const char *, const void *, size_t, int),
				       "fsetxattr")(fd, name, value, len, flags);
}

int mkdirat(int dir, const char *name, mode_t mode)
{
	return faults.room != 0 && strcmp(name, "upper") == 0
		       ? failed(faults.room)
		       : REAL(int (*)(int, const char *, mode_t), "mkdirat")(dir, name, mode);
}

static bool overlay_possible;

static int setup(void **state)
{
	memset(&faults, 0, sizeof(faults));
	return scratch_setup(state);
}

#define means_test(name) cmocka_unit_test_setup_teardown(name, setup, scratch_teardown)

/* A store, as a process that begins has it, for which the user wants this. */
static struct xb_store *store_for(enum xb_means means)
{
	struct xb_store *store = open_store();

	xb_means_choose(store, means);
	return store;
}

/* The answer, which has to be one; whatever it took has left nothing. */
static bool copies(struct xb_store *store)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	int r = xb_means_copies(store, &err);

	check(r, &err);
	assert_int_equal(count_in("store/snapshots"), 0);
	return r == 1;
}

static bool has_marks_noted(void)
{
	return access(scratch_path("store/snapshots.marks"), F_OK) == 0;
}

static void assert_notice(struct xb_store *store, const char *words)
{
	xb_autofree char *notice = xb_means_notice(store);

	assert_non_null(notice);
	if (strstr(notice, words) == NULL)
		fail_msg("%s: not in: %s", words, notice);
	/* once is enough */
	assert_null(xb_means_notice(store));
}

static void what_is_asked_for_is_not_tried(void **state)
{
	struct xb_store *store;

	(void)state;
	faults.overlay = EPERM;
	store = store_for(XB_MEANS_OVERLAY);
	assert_false(copies(store));
	assert_null(xb_means_notice(store));
	xb_store_free(store);
	store = store_for(XB_MEANS_COPY);
	assert_null(xb_means_notice(store));
	assert_true(copies(store));
	assert_notice(store, "--snapshots=copy");
	xb_store_free(store);
	assert_false(has_marks_noted());
}

static void an_overlay_that_works_is_used(void **state)
{
	xb_auto_store struct xb_store *store = NULL;

	(void)state;
	need("overlay", overlay_possible);
	store = store_for(XB_MEANS_AUTO);
	assert_false(copies(store));
	assert_null(xb_means_notice(store));
	assert_false(has_marks_noted());
	/* it was found out */
	faults.overlay = EPERM;
	assert_false(copies(store));
}

static void a_refusal_means_copies(void **state)
{
	static const int refusals[] = { EPERM, ENODEV };

	(void)state;
	for (size_t i = 0; i < XB_COUNT(refusals); i++) {
		xb_auto_store struct xb_store *store = store_for(XB_MEANS_AUTO);

		faults.overlay = refusals[i];
		assert_true(copies(store));
		assert_notice(store, "an overlay cannot be used");
		assert_false(has_marks_noted());
	}
}

/* An answer that decides for a store's life does not come of a moment's trouble. */
static void passing_faults_are_told_and_not_remembered(void **state)
{
	static const int passing[] = { EMFILE, ENFILE, ENOMEM, EIO, ENOSPC, EDQUOT, EINTR, ESTALE };

	(void)state;
	need("overlay", overlay_possible);
	for (size_t i = 0; i < 3 * XB_COUNT(passing); i++) {
		xb_auto_store struct xb_store *store = store_for(XB_MEANS_AUTO);
		xb_auto_error struct xb_error err = XB_ERROR_INIT;
		int error = passing[i / 3];

		memset(&faults, 0, sizeof(faults));
		if (i % 3 == 0)
			faults.overlay = error;
		else if (i % 3 == 1)
			faults.room = error;
		else
			faults.overlay = EPERM;
		if (i % 3 == 2)
			faults.mark = error;
		assert_int_equal(xb_means_copies(store, &err), -error);
		assert_int_equal(err.fault, XB_FAULT_STORE);
		assert_non_null(strstr(err.message, scratch_path("store")));
		assert_int_equal(err.hint != NULL, error == ENOSPC || error == EDQUOT);
		assert_null(xb_means_notice(store));
		assert_int_equal(count_in("store/snapshots"), 0);
		memset(&faults, 0, sizeof(faults));
		assert_false(copies(store));
		assert_false(has_marks_noted());
	}
}

/* Where neither mark of overlays can be had the store is one of copies for good. */
static void a_store_without_marks_stays_one_of_copies(void **state)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct xb_store *store = store_for(XB_MEANS_AUTO);

	(void)state;
	/* an overlay that cannot leave its marks gives EIO, which here is no passing fault */
	faults.overlay = EIO;
	faults.mark = EOPNOTSUPP;
	assert_true(copies(store));
	assert_true(has_marks_noted());
	xb_store_free(store);
	memset(&faults, 0, sizeof(faults));
	store = store_for(XB_MEANS_AUTO);
	assert_true(copies(store));
	assert_notice(store, "begun without");
	xb_store_free(store);
	store = store_for(XB_MEANS_COPY);
	assert_true(copies(store));
	xb_store_free(store);
	store = store_for(XB_MEANS_OVERLAY);
	assert_int_equal(xb_means_copies(store, &err), -ENOTSUP);
	assert_int_equal(err.fault, XB_FAULT_STORE);
	assert_non_null(strstr(err.hint, "--root"));
	xb_store_free(store);
}

/* Asked for copies, a file system that takes no device 0/0 is noticed, too. */
static void copies_by_choice_look_for_marks(void **state)
{
	xb_auto_store struct xb_store *store = store_for(XB_MEANS_COPY);

	(void)state;
	faults.device = EPERM;
	assert_true(copies(store));
	assert_true(has_marks_noted());
}

static void *ask(void *context)
{
	return xb_means_copies(context, NULL) == 1 ? context : NULL;
}

static void threads_get_one_answer(void **state)
{
	enum { THREADS = 8 };
	xb_auto_store struct xb_store *store = store_for(XB_MEANS_AUTO);
	pthread_t threads[THREADS];

	(void)state;
	faults.overlay = EPERM;
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, ask, store), 0);
	for (int i = 0; i < THREADS; i++) {
		void *answer = NULL;

		assert_int_equal(pthread_join(threads[i], &answer), 0);
		assert_ptr_equal(answer, store);
	}
	assert_notice(store, "an overlay cannot be used");
	assert_int_equal(count_in("store/snapshots"), 0);
}

/* Overlays are mounted by root, or by the root of a user namespace. */
static bool find_overlay(void **state)
{
	struct xb_store *store;
	bool found;

	if (xb_proc_become_root(NULL) < 0 || setup(state) < 0)
		return false;
	store = store_for(XB_MEANS_AUTO);
	found = xb_means_copies(store, NULL) == 0;
	xb_store_free(store);
	return scratch_teardown(state) == 0 && found;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		means_test(what_is_asked_for_is_not_tried),
		means_test(an_overlay_that_works_is_used),
		means_test(a_refusal_means_copies),
		means_test(passing_faults_are_told_and_not_remembered),
		means_test(a_store_without_marks_stays_one_of_copies),
		means_test(copies_by_choice_look_for_marks),
		means_test(threads_get_one_answer),
	};
	void *state = NULL;

	overlay_possible = find_overlay(&state);
	return cmocka_run_group_tests_name("builder/cache means", tests, NULL, NULL);
}
