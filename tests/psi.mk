check_PROGRAMS += tests/test_psi_golden
tests_test_psi_golden_SOURCES = tests/test_psi_golden.c tests/psi_util.h tests/text_util.h
TESTS += tests/test_psi_golden
check_PROGRAMS += tests/test_psi_bound
tests_test_psi_bound_SOURCES = tests/test_psi_bound.c tests/psi_util.h tests/text_util.h
TESTS += tests/test_psi_bound
check_PROGRAMS += tests/test_psi_plan
tests_test_psi_plan_SOURCES = tests/test_psi_plan.c tests/psi_util.h tests/text_util.h
TESTS += tests/test_psi_plan
check_PROGRAMS += tests/test_filter
tests_test_filter_SOURCES = tests/test_filter.c
TESTS += tests/test_filter
check_PROGRAMS += tests/test_recipe
tests_test_recipe_SOURCES = tests/test_recipe.c
TESTS += tests/test_recipe
EXTRA_DIST += tests/golden/samplers
check_PROGRAMS += tests/test_psi_draw
tests_test_psi_draw_SOURCES = tests/test_psi_draw.c tests/psi_fake.h tests/chi_square.h
TESTS += tests/test_psi_draw
check_PROGRAMS += tests/test_step
tests_test_step_SOURCES = tests/test_step.c tests/psi_fake.h
TESTS += tests/test_step
check_PROGRAMS += tests/test_golden_text
tests_test_golden_text_SOURCES = tests/test_golden_text.c tests/golden.h
TESTS += tests/test_golden_text
check_PROGRAMS += tests/test_oracle_law
tests_test_oracle_law_SOURCES = tests/test_oracle_law.c tests/psi_util.h tests/text_util.h
TESTS += tests/test_oracle_law

# make bench: a step outside the network.
EXTRA_PROGRAMS += tests/bench/bench_psi
tests_bench_bench_psi_SOURCES = tests/bench/bench_psi.c
CLEANFILES += tests/bench/bench_psi
bench: bench-psi
bench-psi: tests/bench/bench_psi
	./tests/bench/bench_psi
.PHONY: bench-psi
