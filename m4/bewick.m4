dnl SPDX-License-Identifier: Apache-2.0
AC_DEFUN([AX_BEWICK_FLAGS], [
	BEWICK_CFLAGS=""
	for flag in -std=gnu11 -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
		-Wpointer-arith -Wwrite-strings -Wvla -Wformat=2 -Wundef -Wno-unused-parameter \
		-Wno-missing-field-initializers -fvisibility=hidden -fno-semantic-interposition \
		-fno-strict-aliasing -fstack-protector-strong; do
		AC_MSG_CHECKING([whether $CC accepts $flag])
		saved_CFLAGS=$CFLAGS
		CFLAGS="$CFLAGS -Werror $flag"
		AC_COMPILE_IFELSE([AC_LANG_PROGRAM([])],
			[AC_MSG_RESULT([yes]); BEWICK_CFLAGS="$BEWICK_CFLAGS $flag"],
			[AC_MSG_RESULT([no])])
		CFLAGS=$saved_CFLAGS
	done
	AC_ARG_ENABLE([werror], [AS_HELP_STRING([--enable-werror], [warnings are errors])],
		[], [enable_werror=no])
	AS_IF([test "$enable_werror" = yes], [BEWICK_CFLAGS="$BEWICK_CFLAGS -Werror"])
	AC_ARG_ENABLE([sanitizer], [AS_HELP_STRING([--enable-sanitizer=LIST], [e.g. address,undefined or thread])],
		[AS_IF([test "$enableval" != no], [
			BEWICK_CFLAGS="$BEWICK_CFLAGS -fsanitize=$enableval -fno-omit-frame-pointer -fno-sanitize-recover=undefined"
			BEWICK_LDFLAGS="-fsanitize=$enableval"])])
	AC_SUBST([BEWICK_CFLAGS])
	AC_SUBST([BEWICK_LDFLAGS])

	dnl clang keeps the sanitizers' runtime in the program: libraries refer to it
	AS_IF([test -z "$BEWICK_LDFLAGS" && test "$enable_fuzz" != yes], [BEWICK_NO_UNDEFINED="-Wl,-z,defs"])
	AC_SUBST([BEWICK_NO_UNDEFINED])
])

AC_DEFUN([AX_PTHREAD_BEWICK], [
	AC_SEARCH_LIBS([pthread_create], [pthread], [], [AC_MSG_ERROR([POSIX threads are missing])])
	AC_SEARCH_LIBS([dlopen], [dl], [], [AC_MSG_ERROR([dlopen is missing])])
])
