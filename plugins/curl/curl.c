/* SPDX-License-Identifier: Apache-2.0 */
#include <curl/curl.h>

#include "config/settings.h"
#include "curl_thread.h"
#include "plugin/plugin.h"

#define CURL_REDIRECTS 5

static const char *const curl_schemes[] = { "http", "https", "file", NULL };
static struct fetcher curl_fetcher = { .name = "curl", .schemes = curl_schemes, .start = curl_thread_fetch };

static bool curl_load(struct plugin_env *env, struct errtext *err)
{
	int64_t redirects = env->settings ? settings_int(env->settings, "plugins.curl.redir", -1) : -1;

	if (!env->fetchers) {
		errtext_set(err, "there is nothing here that fetches");
		return false;
	}
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		errtext_set(err, "libcurl cannot be initialised");
		return false;
	}
	curl_fetcher.arg = curl_thread_new(redirects < 0 || redirects > 50 ? CURL_REDIRECTS : (long)redirects);
	if (!curl_fetcher.arg) {
		curl_global_cleanup();
		errtext_set(err, "libcurl cannot be initialised");
		return false;
	}
	fetch_add_fetcher(env->fetchers, &curl_fetcher);
	return true;
}

static void curl_unload(struct plugin_env *env)
{
	fetch_remove_fetcher(env->fetchers, &curl_fetcher);
	curl_thread_free(curl_fetcher.arg);
	curl_fetcher.arg = NULL;
	curl_global_cleanup();
}

PLUGIN_DEFINE(curl) = {
	.abi = PLUGIN_ABI,
	.name = "curl",
	.summary = "fetches CRLs, OCSP responses and certificates by HTTP and from files",
	.provides = (const char *const[]){ "fetcher:http", "fetcher:https", "fetcher:file", NULL },
	.load = curl_load,
	.unload = curl_unload,
};
