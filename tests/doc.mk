# The rules of the house, the manual and the completions, checked.
TESTS += tests/structure.sh tests/manual.sh tests/completion.sh
EXTRA_DIST += tests/tap.sh tests/structure.sh tests/manual.sh tests/completion.sh tests/words

# The program's own lists, as the manual and the completions show them.
check_PROGRAMS += tests/lists
tests_lists_SOURCES = tests/lists.c

# Put them into the files in the source tree.
man-update: tests/lists
	@for f in mdoc:man/psiview.1 mdoc:man/psiview-train.1 bash:data/completions/psiview.bash zsh:data/completions/_psiview; do \
		file=$(srcdir)/$${f#*:}; \
		sh $(srcdir)/man/tables.sh tests/lists $${f%%:*} $$file >tables.new && cat tables.new >$$file || exit 1; \
	done; rm -f tables.new
.PHONY: man-update
