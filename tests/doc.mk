# The rules of the house, the manual and the completions, checked.
TESTS += tests/structure.sh
EXTRA_DIST += tests/tap.sh tests/structure.sh tests/lsan.supp tests/tsan.supp tests/words
