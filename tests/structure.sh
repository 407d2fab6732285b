# structure.sh: the rules of the house that a machine can check: who may
# include whom, one door to each foreign library, sizes of files, headers that
# stand alone, words and paths that do not belong in the tree.
set -u
shopt -s extglob
cd "$SRCDIR" || exit 99
. tests/tap.sh

sources()
{
	find src ui models tests -name '*.[ch]' | sort
}

# The sources of programs, of the build and of the manual: all that people write.
texts()
{
	find src ui models tests man data \( -name '*.[ch]' -o -name '*.sh' -o -name '*.mk' -o -name '*.[1-9]' \) | sort
	for f in configure.ac Makefile.am bootstrap quickstart .ci/run README.md CONTRIBUTING.md NEWS.md; do
		[ -f "$f" ] && echo "$f"
	done
}

# --- who may include whom (architecture.md, section 7) ---
# A room, and the prefixes of the headers of ours that it may include.
# net/model.h holds a struct alpha by value, hence psi/alpha.h in net; a
# network is bound to an open checkpoint, hence ckpt in models; the screen
# shows what is open and what trains, hence ckpt/ckpt.h, train/trainer.h in
# ui; a trainer asks for the description of a network, hence models/registry.h
# in train.
rooms='
src/base    base/
src/ckpt    base/ ckpt/
src/text    base/ text/
src/net     base/ ckpt/ net/ psi/alpha.h
src/psi     base/ net/ psi/
src/train   base/ ckpt/ text/ net/ psi/ train/ models/registry.h
src/run     base/ ckpt/ text/ net/ psi/ train/ run/ models/registry.h models/classifier.h
models      base/ ckpt/ net/ psi/alpha.h models/
ui          base/ run/ psi/ text/ ckpt/ckpt.h train/trainer.h ui/
'
while read -r room allowed; do
	[ -n "$room" ] && [ -d "$room" ] || continue
	: >"$scratch/out"
	grep -n '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' "$room"/*.[ch] /dev/null | while IFS=: read -r file line text; do
		header=${text#*\"}
		header=${header%%\"*}
		[ "$header" = config.h ] && continue
		good=no
		for prefix in $allowed; do
			case $header in "$prefix"*) good=yes ;; esac
		done
		[ $good = yes ] || echo "$file:$line includes $header"
	done >"$scratch/out"
	report "$room includes only ${allowed//\//}" "$scratch/out"
done <<<"$rooms"

# --- one door to each foreign library ---
# door HEADERS FILE: only FILE includes a header whose name matches HEADERS.
door()
{
	grep -lE "^[[:space:]]*#[[:space:]]*include[[:space:]]*[<\"]($1)[>\"]" $(sources) | grep -vxE "$2" >"$scratch/out"
	report "only $2 includes $1" "$scratch/out"
}
door '[a-z]*cblas[a-z_-]*\.h' src/net/gemm.c
door '(n?curses|ncursesw/.*|term)\.h' ui/term.c
door 'sixel\.h' ui/sixel.c
door 'mpi\.h' src/train/parallel.c

# --- below main nothing exits or prints on its own ---
# (to plain.c standard output is what the terminal is to term.c)
grep -nE '(^|[^_[:alnum:]])(exit|_exit|_Exit|quick_exit|abort|perror|puts|putchar|printf|vprintf)[[:space:]]*\(' \
	$(find src ui models -name '*.c' | grep -vxE 'src/main\.c|ui/plain\.c' | sort) >"$scratch/out"
report "nothing below main prints or exits" "$scratch/out"

# --- files of a size one can read ---
# One pass over all of them.  Columns count a tab as eight, and of UTF-8 what
# begins a character.
LC_ALL=C awk -v columns="$scratch/columns" -v blanks="$scratch/blanks" '
	function over(name, lines) { if (name ~ /\.[ch]$/ && lines > 600) print name " has " lines " lines" }
	FNR == 1 { over(last, lines); last = FILENAME }
	{ lines = FNR }
	FILENAME !~ /\.md$/ && /[ \t]$/ { print FILENAME ":" FNR >blanks }
	FILENAME !~ /\.[ch]$/ { next }
	{
		n = 0
		gsub(/[\200-\277]/, "")
		m = split($0, part, "\t")
		for (i = 1; i < m; i++)
			n += 8 * int(length(part[i]) / 8 + 1)
		if (n + length(part[m]) > 120)
			print FILENAME ":" FNR ": " n + length(part[m]) " columns" >columns
	}
	END { over(last, lines) }' $(texts) >"$scratch/out"
report "no source file above 600 lines" "$scratch/out"
report "no line above 120 columns" "$scratch/columns"
report "no blanks at the end of a line" "$scratch/blanks"

for f in $(texts); do
	[ -z "$(tail -c 1 "$f")" ] || echo "$f"
done >"$scratch/out"
report "files end with a newline" "$scratch/out"

# --- what does not belong in the tree ---
# (written so that this file does not match itself)
grep -nwE 'TO''DO|FIX''ME|X''XX|HA''CK|WI''P' $(texts) >"$scratch/out"
report "no left-over marks" "$scratch/out"

grep -nE '(^|[^[:alnum:]_.~-])/(wo''rk|ro''ot|ho''me|tmp/w''t|us''r/lib/x86_64)(/|[^[:alnum:]]|$)' $(texts) >"$scratch/out"
report "no paths of some machine" "$scratch/out"

# --- what the pages for people name is there (NAME and ROOM stand for any) ---
for page in README.md CONTRIBUTING.md data/README.md; do
	grep -oE '(\`|\()(src|ui|models|tests|man|data)/[A-Za-z0-9_./-]+(\`|\))' "$page" | tr -d '()\140' | grep -vE 'NAME|ROOM' |
		while read -r f; do [ -e "$f" ] || echo "$page names $f"; done
done >"$scratch/out"
report "files named in the pages for people exist" "$scratch/out"

# --- the head of a file says what it owns ---
awk 'FNR <= 2 && !(FILENAME in good) {
		n = split(FILENAME, part, "/")
		seen[FILENAME] = 1
		if (index($0, part[n] ":"))
			good[FILENAME] = 1
	}
	END { for (f in seen) if (!(f in good)) print f }' $(sources) >"$scratch/out"
report "every source file begins with its name and what it owns" "$scratch/out"

# --- headers ---
# X_body.h is the body of X.c, compiled once for each kind of processor.
headers()
{
	find src ui models -name '*.h' ! -name '*_body.h' | sort
}

awk '/^#ifndef PSI_/ && !(FILENAME in guard) { guard[FILENAME] = $2; if (taken[$2]++) print FILENAME ": " $2 " is taken" }
	/^#define PSI_/ && $2 == guard[FILENAME] { set[FILENAME] = 1 }
	{ seen[FILENAME] = 1 }
	END { for (f in seen) if (!(f in set)) print f " has no guard" }' $(headers) >"$scratch/out"
report "every header has a guard of its own" "$scratch/out"

if [ -n "${PSIVIEW_CC:-}" ]; then
	mkdir "$scratch/alone"
	for f in $(headers); do
		printf '#include "%s"\n' "${f#src/}" >"$scratch/alone/${f//\//-}.c"
	done
	cc=${PSIVIEW_CC//-fsanitize=*([^ ])/} # one kind of build is enough
	$cc -O0 -I"$SRCDIR/src" -I"$SRCDIR" -fsyntax-only "$scratch"/alone/*.c 2>&1 | grep -E 'error|warning' >"$scratch/out"
	report "every header compiles alone" "$scratch/out"
else
	skip "every header compiles alone" "PSIVIEW_CC is not set"
fi

# --- spelling, scripts ---
if command -v codespell >/dev/null; then
	codespell -q 3 -L "$(tr '\n' ',' <tests/words)" $(texts) >"$scratch/out" 2>&1
	report "spelling" "$scratch/out"
else
	skip "spelling" "codespell is not installed"
fi
if command -v shellcheck >/dev/null; then
	shellcheck quickstart bootstrap .ci/run man/tables.sh >"$scratch/out" 2>&1
	report "shell scripts" "$scratch/out"
else
	skip "shell scripts" "shellcheck is not installed"
fi

finish
