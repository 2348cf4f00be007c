/* SPDX-License-Identifier: Apache-2.0 */
#include "base/digest.h"

#include <errno.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

/* A piece of a file read for hashing. */
#define PIECE ((size_t)128 << 10)

/* The algorithms that an OCI descriptor may name and that xbuild takes, and one of checksums. */
static const struct algorithm {
	const char *name;
	const char *openssl_name;
	size_t digits;
	bool descriptors;
} algorithms[] = {
	{ "sha256", "SHA2-256", 64, true },
	{ "sha512", "SHA2-512", 128, true },
	{ "sha384", "SHA2-384", 96, false },
};

struct xb_hasher {
	const struct algorithm *algorithm;
	EVP_MD_CTX *context;
};

/* OpenSSL 3 looks an algorithm up by name, slowly: once a process. */
static EVP_MD *fetched[XB_COUNT(algorithms)];
static pthread_once_t fetched_once = PTHREAD_ONCE_INIT;

static void fetch_all(void)
{
	for (size_t i = 0; i < XB_COUNT(algorithms); i++) {
		fetched[i] = EVP_MD_fetch(NULL, algorithms[i].openssl_name, NULL);
		if (fetched[i] == NULL)
			xb_die("OpenSSL has no %s", algorithms[i].name);
	}
}

static const EVP_MD *openssl_of(const struct algorithm *algorithm)
{
	(void)pthread_once(&fetched_once, fetch_all);
	return fetched[algorithm - algorithms];
}

static const struct algorithm *algorithm_named(struct xb_view name)
{
	for (size_t i = 0; i < XB_COUNT(algorithms); i++)
		if (xb_view_is(name, algorithms[i].name))
			return &algorithms[i];
	return NULL;
}

static bool all_hex(struct xb_view view)
{
	for (size_t i = 0; i < view.len; i++) {
		char c = view.data[i];

		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
			return false;
	}
	return true;
}

/* The algorithm of a digest whose form is right, or NULL. */
static const struct algorithm *algorithm_of(struct xb_view text)
{
	struct xb_view rest = text, name = { 0 };
	const struct algorithm *algorithm = NULL;

	if (xb_view_split(&rest, ':', &name))
		algorithm = algorithm_named(name);
	if (algorithm == NULL || rest.len != algorithm->digits || !all_hex(rest))
		return NULL;
	return algorithm;
}

static void keep_text(struct xb_view text, struct xb_digest *ret)
{
	*ret = (struct xb_digest){ 0 };
	memcpy(ret->text, text.data, text.len);
}

int xb_digest_parse(struct xb_view text, struct xb_digest *ret, struct xb_error *err)
{
	const struct algorithm *algorithm = algorithm_of(text);

	if (algorithm == NULL || !algorithm->descriptors)
		return xb_error_set(err, -EINVAL,
				    "not a digest (sha256:, 64 lower-case hexadecimal digits): "
				    "%.*s",
				    (int)(text.len < 200 ? text.len : 200),
				    text.data != NULL ? text.data : "");
	keep_text(text, ret);
	return 0;
}

int xb_digest_parse_checksum(struct xb_view text, struct xb_digest *ret, struct xb_error *err)
{
	if (algorithm_of(text) == NULL)
		return xb_error_set(err, -EINVAL,
				    "not a checksum (sha256:, sha384: or sha512:, then lower-case "
				    "hexadecimal digits): %.*s",
				    (int)(text.len < 200 ? text.len : 200),
				    text.data != NULL ? text.data : "");
	keep_text(text, ret);
	return 0;
}

bool xb_digest_empty(const struct xb_digest *d)
{
	return d->text[0] == '\0';
}

bool xb_digest_eq(const struct xb_digest *a, const struct xb_digest *b)
{
	return strcmp(a->text, b->text) == 0;
}

struct xb_view xb_digest_algorithm(const struct xb_digest *d)
{
	return (struct xb_view){ d->text, strcspn(d->text, ":") };
}

const char *xb_digest_hex(const struct xb_digest *d)
{
	const char *colon = strchr(d->text, ':');

	return colon != NULL ? colon + 1 : d->text;
}

static struct xb_digest digest_from(const struct algorithm *algorithm, const unsigned char *bytes)
{
	static const char digits[] = "0123456789abcdef";
	struct xb_digest d = { 0 };
	size_t at = strlen(algorithm->name);

	memcpy(d.text, algorithm->name, at);
	d.text[at++] = ':';
	for (size_t i = 0; i < algorithm->digits / 2; i++) {
		d.text[at++] = digits[bytes[i] >> 4];
		d.text[at++] = digits[bytes[i] & 15];
	}
	return d;
}

struct xb_digest xb_digest_of(const void *data, size_t len)
{
	unsigned char bytes[EVP_MAX_MD_SIZE];

	if (EVP_Digest(data, len, bytes, NULL, openssl_of(&algorithms[0]), NULL) != 1)
		xb_die("OpenSSL failed to hash");
	return digest_from(&algorithms[0], bytes);
}

static void hasher_start(struct xb_hasher *h)
{
	if (EVP_DigestInit_ex2(h->context, openssl_of(h->algorithm), NULL) != 1)
		xb_die("OpenSSL failed to start a hash");
}

static struct xb_hasher *hasher_new(const struct algorithm *algorithm)
{
	struct xb_hasher *h = xb_calloc(1, sizeof(*h));

	h->algorithm = algorithm;
	h->context = EVP_MD_CTX_new();
	if (h->context == NULL)
		xb_die("out of memory");
	hasher_start(h);
	return h;
}

struct xb_hasher *xb_hasher_new(void)
{
	return hasher_new(&algorithms[0]);
}

struct xb_hasher *xb_hasher_new_like(const struct xb_digest *like)
{
	const struct algorithm *algorithm = algorithm_named(xb_digest_algorithm(like));

	return hasher_new(algorithm != NULL ? algorithm : &algorithms[0]);
}

void xb_hasher_free(struct xb_hasher *h)
{
	if (h == NULL)
		return;
	EVP_MD_CTX_free(h->context);
	free(h);
}

void xb_hasher_add(struct xb_hasher *h, const void *data, size_t len)
{
	if (len > 0 && EVP_DigestUpdate(h->context, data, len) != 1)
		xb_die("OpenSSL failed to hash");
}

static void add_u64(struct xb_hasher *h, uint64_t number)
{
	unsigned char bytes[8];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(number >> (56 - 8 * i));
	xb_hasher_add(h, bytes, sizeof(bytes));
}

void xb_hasher_field(struct xb_hasher *h, struct xb_view field)
{
	add_u64(h, field.len);
	xb_hasher_add(h, field.data, field.len);
}

void xb_hasher_number(struct xb_hasher *h, uint64_t number)
{
	add_u64(h, sizeof(number));
	add_u64(h, number);
}

void xb_hasher_list(struct xb_hasher *h, const char *const *list)
{
	size_t n = 0;

	while (list[n] != NULL)
		n++;
	xb_hasher_number(h, n);
	for (size_t i = 0; i < n; i++)
		xb_hasher_field(h, xb_view(list[i]));
}

struct xb_digest xb_hasher_finish(struct xb_hasher *h)
{
	unsigned char bytes[EVP_MAX_MD_SIZE];

	if (EVP_DigestFinal_ex(h->context, bytes, NULL) != 1)
		xb_die("OpenSSL failed to finish a hash");
	hasher_start(h);
	return digest_from(h->algorithm, bytes);
}

int xb_digest_of_file(int fd, const struct xb_digest *like, struct xb_digest *ret)
{
	xb_auto_hasher struct xb_hasher *hasher = xb_hasher_new_like(like);
	xb_autofree char *piece = xb_alloc(PIECE);
	off_t at = 0;
	ssize_t n;

	while ((n = pread(fd, piece, PIECE, at)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		xb_hasher_add(hasher, piece, (size_t)n);
		at += n;
	}
	*ret = xb_hasher_finish(hasher);
	return 0;
}
