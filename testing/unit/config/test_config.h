/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_TEST_CONFIG_H
#define BEWICK_TEST_CONFIG_H

#include <check.h>
#include <stdlib.h>

#include "config/tree.h"
#include "util/mem.h"

Suite *suite_tree(void);
Suite *suite_tree_parse(void);
Suite *suite_value(void);
Suite *suite_settings(void);
Suite *suite_conn(void);
Suite *suite_conn_class(void);
Suite *suite_scope(void);
Suite *suite_store(void);
Suite *suite_cp_value(void);
Suite *suite_pools(void);
Suite *suite_auth_rules(void);
Suite *suite_credentials(void);
Suite *suite_conn_round(void);
Suite *suite_fuzz_corpus(void);

/* "a{b=1 c{d=2} e=[x y]}" without the outer braces; to be freed. */
char *tree_to_text(const struct tree *t);
/* Parses text that has to be good. */
struct tree *tree_of(const char *text);

struct conn;
/* A connection made from "NAME { ... }", with lists written as swanctl.conf has them. */
struct conn *conn_of(const char *text);

/* Lines that CFG logged at level 1 since log_catch, one after the other. */
void log_catch(void);
const char *log_caught(void); /* and stops catching; valid until the next log_catch */

#endif
