/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/solve/pins.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "manifest/reference.h"
#include "platforms/platform.h"

#define VERSION 1

static void image_clear(struct xb_pin_image *image)
{
	for (size_t i = 0; i < image->platforms.len; i++)
		free(image->platforms.items[i].platform);
	xb_array_clear(&image->platforms);
	xb_strv_clear(&image->names);
	free(image->reference);
}

static void fetch_clear(struct xb_pin_fetch *fetch)
{
	free(fetch->url);
	free(fetch->checksum);
}

void xb_pins_clear(struct xb_pins *pins)
{
	for (size_t i = 0; i < pins->images.len; i++)
		image_clear(&pins->images.items[i]);
	for (size_t i = 0; i < pins->fetches.len; i++)
		fetch_clear(&pins->fetches.items[i]);
	xb_array_clear(&pins->images);
	xb_array_clear(&pins->fetches);
}

/* ---- looking and changing ------------------------------------------------------------------ */

struct xb_pin_image *xb_pins_image(struct xb_pins *pins, const char *reference)
{
	for (size_t i = 0; i < pins->images.len; i++) {
		if (strcmp(pins->images.items[i].reference, reference) == 0)
			return &pins->images.items[i];
	}
	return NULL;
}

struct xb_pin_fetch *xb_pins_fetch(struct xb_pins *pins, const char *url)
{
	for (size_t i = 0; i < pins->fetches.len; i++) {
		if (strcmp(pins->fetches.items[i].url, url) == 0)
			return &pins->fetches.items[i];
	}
	return NULL;
}

const struct xb_digest *xb_pin_platform_digest(const struct xb_pin_image *image,
					       const char *platform)
{
	for (size_t i = 0; i < image->platforms.len; i++) {
		if (strcmp(image->platforms.items[i].platform, platform) == 0)
			return &image->platforms.items[i].digest;
	}
	return NULL;
}

static int by_reference(const void *a, const void *b)
{
	return strcmp(((const struct xb_pin_image *)a)->reference,
		      ((const struct xb_pin_image *)b)->reference);
}

static int by_url(const void *a, const void *b)
{
	return strcmp(((const struct xb_pin_fetch *)a)->url, ((const struct xb_pin_fetch *)b)->url);
}

static int by_platform(const void *a, const void *b)
{
	return strcmp(((const struct xb_pin_platform *)a)->platform,
		      ((const struct xb_pin_platform *)b)->platform);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void set_platform(struct xb_pin_image *pin, const char *platform,
			 const struct xb_digest *digest)
{
	struct xb_pin_platform *added;

	for (size_t i = 0; i < pin->platforms.len; i++) {
		if (strcmp(pin->platforms.items[i].platform, platform) != 0)
			continue;
		pin->platforms.items[i].digest = *digest;
		return;
	}
	added = xb_array_push(&pin->platforms);
	*added = (struct xb_pin_platform){ .platform = xb_strdup(platform), .digest = *digest };
	qsort(pin->platforms.items, pin->platforms.len, sizeof(*added), by_platform);
}

static void add_name(struct xb_pin_image *pin, const char *name)
{
	if (xb_strv_find(&pin->names, name) >= 0)
		return;
	xb_strv_push(&pin->names, name);
	qsort(pin->names.items, pin->names.len, sizeof(char *), by_name);
}

static struct xb_pin_image *add_image(struct xb_pins *pins, const char *reference)
{
	struct xb_pin_image *pin = xb_array_push(&pins->images);

	*pin = (struct xb_pin_image){ .reference = xb_strdup(reference) };
	qsort(pins->images.items, pins->images.len, sizeof(*pin), by_reference);
	return xb_pins_image(pins, reference);
}

void xb_pins_set_image(struct xb_pins *pins, const char *reference, const char *name,
		       const struct xb_digest *digest, const char *platform,
		       const struct xb_digest *image)
{
	struct xb_pin_image *pin = xb_pins_image(pins, reference);

	if (pin == NULL)
		pin = add_image(pins, reference);
	pin->digest = *digest;
	add_name(pin, name);
	set_platform(pin, platform, image);
}

void xb_pins_set_fetch(struct xb_pins *pins, const char *url, const char *checksum)
{
	struct xb_pin_fetch *pin = xb_pins_fetch(pins, url);

	if (pin == NULL) {
		pin = xb_array_push(&pins->fetches);
		*pin = (struct xb_pin_fetch){ .url = xb_strdup(url) };
		qsort(pins->fetches.items, pins->fetches.len, sizeof(*pin), by_url);
		pin = xb_pins_fetch(pins, url);
	}
	free(pin->checksum);
	pin->checksum = xb_strdup(checksum);
}

bool xb_pins_remove(struct xb_pins *pins, const char *name)
{
	struct xb_pin_image *image = xb_pins_image(pins, name);
	struct xb_pin_fetch *fetch = xb_pins_fetch(pins, name);

	if (image != NULL) {
		image_clear(image);
		*image = pins->images.items[--pins->images.len];
		qsort(pins->images.items, pins->images.len, sizeof(*image), by_reference);
	}
	if (fetch != NULL) {
		fetch_clear(fetch);
		*fetch = pins->fetches.items[--pins->fetches.len];
		qsort(pins->fetches.items, pins->fetches.len, sizeof(*fetch), by_url);
	}
	return image != NULL || fetch != NULL;
}

/* ---- reading ------------------------------------------------------------------------------- */

static int read_digest(const json_t *value, struct xb_digest *ret, struct xb_error *err)
{
	if (!json_is_string(value))
		return xb_error_set(err, -EBADMSG, "a digest is not a string");
	return xb_digest_parse(xb_view(json_string_value(value)), ret, err) < 0 ? -EBADMSG : 0;
}

/* Only what xb_pins_set_image() would have written: else a pin would never be found. */
static int check_reference(const char *reference, struct xb_error *err)
{
	xb_auto_reference struct xb_reference ref = XB_REFERENCE_INIT;
	xb_autofree char *normal = NULL;

	if (xb_reference_parse(xb_view(reference), &ref, err) < 0)
		return -EBADMSG;
	xb_reference_complete(&ref);
	normal = xb_reference_format(&ref);
	return strcmp(normal, reference) == 0
		       ? 0
		       : xb_error_set(err, -EBADMSG, "the reference would be written %s", normal);
}

static int check_platform(const char *text, struct xb_error *err)
{
	struct xb_platform host = { .os = "linux", .arch = "amd64" };
	struct xb_platform platform;

	if (xb_platform_parse(xb_view(text), &host, &platform, err) < 0)
		return -EBADMSG;
	return strcmp(xb_platform_name(&platform).text, text) == 0
		       ? 0
		       : xb_error_set(err, -EBADMSG, "the platform %s would be written %s", text,
				      xb_platform_name(&platform).text);
}

static int read_platforms(json_t *object, struct xb_pin_image *pin, struct xb_error *err)
{
	const char *key;
	json_t *value;

	json_object_foreach(object, key, value)
	{
		struct xb_digest digest = { 0 };
		int r = check_platform(key, err);

		if (r == 0)
			r = read_digest(value, &digest, err);
		if (r < 0)
			return xb_error_wrap(err, r, "platforms: %s", key);
		set_platform(pin, key, &digest);
	}
	if (pin->platforms.len == 0)
		return xb_error_set(err, -EBADMSG, "it has no platforms");
	return 0;
}

static int read_names(const json_t *array, struct xb_pin_image *pin, struct xb_error *err)
{
	for (size_t i = 0; i < json_array_size(array); i++) {
		const char *name = json_string_value(json_array_get(array, i));

		if (name == NULL)
			return xb_error_set(err, -EBADMSG, "as[%zu] is not a string", i);
		add_name(pin, name);
	}
	return 0;
}

static int check_keys(json_t *object, const char *const *known, struct xb_error *err)
{
	const char *key;
	json_t *value;

	json_object_foreach(object, key, value)
	{
		size_t i = 0;

		while (known[i] != NULL && strcmp(known[i], key) != 0)
			i++;
		if (known[i] == NULL)
			return xb_error_set(err, -EBADMSG, "the member %s is not known", key);
	}
	return 0;
}

static int read_image(const char *reference, json_t *object, struct xb_pins *pins,
		      struct xb_error *err)
{
	static const char *const known[] = { "as", "digest", "platforms", NULL };
	struct xb_pin_image *pin;
	json_t *names = NULL, *platforms = NULL;
	int r = check_reference(reference, err);

	if (r == 0 && !json_is_object(object))
		r = xb_error_set(err, -EBADMSG, "it is not an object");
	if (r == 0)
		r = check_keys(object, known, err);
	if (r == 0)
		r = xb_json_get_array(object, "as", &names, err);
	if (r == 0)
		r = xb_json_get_object(object, "platforms", &platforms, err);
	if (r < 0)
		return r;
	pin = add_image(pins, reference);
	r = read_digest(json_object_get(object, "digest"), &pin->digest, err);
	if (r == 0)
		r = read_names(names, pin, err);
	return r < 0 ? r : read_platforms(platforms, pin, err);
}

static int read_images(json_t *object, struct xb_pins *pins, struct xb_error *err)
{
	const char *key;
	json_t *value;

	json_object_foreach(object, key, value)
	{
		int r = read_image(key, value, pins, err);

		if (r < 0)
			return xb_error_wrap(err, r, "images: %s", key);
	}
	return 0;
}

/* A digest, or the id of a commit. */
static bool is_checksum(const char *text)
{
	struct xb_digest digest;
	size_t len = strlen(text);

	return xb_digest_parse(xb_view(text), &digest, NULL) == 0 ||
	       ((len == 40 || len == 64) && strspn(text, "0123456789abcdef") == len);
}

static int read_fetches(json_t *object, struct xb_pins *pins, struct xb_error *err)
{
	const char *key;
	json_t *value;

	json_object_foreach(object, key, value)
	{
		if (!json_is_string(value) || !is_checksum(json_string_value(value)))
			return xb_error_set(
				err, -EBADMSG,
				"fetched: %s: it has neither a digest nor a commit's id", key);
		xb_pins_set_fetch(pins, key, json_string_value(value));
	}
	return 0;
}

static int check_version(const json_t *root, struct xb_error *err)
{
	uint64_t version = 0;
	int r = xb_json_get_u64(root, "version", &version, err);

	if (r < 0)
		return r;
	if (version == 0)
		return xb_error_set(err, -EBADMSG, "it does not say which version it is of");
	if (version == VERSION)
		return 0;
	(void)xb_error_set(err, -EPROTONOSUPPORT, "it is of version %llu, and this xbuild knows %d",
			   (unsigned long long)version, VERSION);
	(void)xb_error_hint(err, "use the newer xbuild that wrote it");
	return -EPROTONOSUPPORT;
}

static int read_all(json_t *root, struct xb_pins *pins, struct xb_error *err)
{
	static const char *const known[] = { "version", "images", "fetched", NULL };
	json_t *images = NULL, *fetched = NULL;
	int r = json_is_object(root) ? check_version(root, err)
				     : xb_error_set(err, -EBADMSG, "it is not an object");

	if (r == 0)
		r = check_keys(root, known, err);
	if (r == 0)
		r = xb_json_get_object(root, "images", &images, err);
	if (r == 0)
		r = xb_json_get_object(root, "fetched", &fetched, err);
	if (r == 0)
		r = read_images(images, pins, err);
	return r < 0 ? r : read_fetches(fetched, pins, err);
}

int xb_pins_parse(struct xb_view text, struct xb_pins *ret, struct xb_error *err)
{
	xb_auto_pins struct xb_pins pins = { 0 };
	xb_auto_json json_t *root = NULL;
	int r = xb_json_parse(text, XB_MAX_PINS, &root, err);

	if (r == 0)
		r = read_all(root, &pins, err);
	if (r < 0)
		return xb_error_fault(err, XB_FAULT_SOURCE), r;
	*ret = pins;
	pins = (struct xb_pins){ 0 };
	return 0;
}

/* ---- writing ------------------------------------------------------------------------------- */

static json_t *image_to_json(const struct xb_pin_image *pin)
{
	json_t *object = json_object();
	json_t *names = json_array();
	json_t *platforms = json_object();

	for (size_t i = 0; i < pin->names.len; i++)
		(void)json_array_append_new(names, json_string(pin->names.items[i]));
	for (size_t i = 0; i < pin->platforms.len; i++)
		xb_json_set_string(platforms, pin->platforms.items[i].platform,
				   pin->platforms.items[i].digest.text);
	xb_json_set_new(object, "as", names);
	xb_json_set_string(object, "digest", pin->digest.text);
	xb_json_set_new(object, "platforms", platforms);
	return object;
}

int xb_pins_write(const struct xb_pins *pins, struct xb_str *text, struct xb_error *err)
{
	xb_auto_json json_t *root = json_object();
	json_t *images = json_object();
	json_t *fetched = json_object();

	for (size_t i = 0; i < pins->images.len; i++)
		xb_json_set_new(images, pins->images.items[i].reference,
				image_to_json(&pins->images.items[i]));
	for (size_t i = 0; i < pins->fetches.len; i++)
		xb_json_set_string(fetched, pins->fetches.items[i].url,
				   pins->fetches.items[i].checksum);
	xb_json_set_u64(root, "version", VERSION);
	xb_json_set_new(root, "images", images);
	xb_json_set_new(root, "fetched", fetched);
	return xb_json_write_pretty(root, text, err);
}
