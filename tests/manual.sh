# manual.sh: the manual says what the program does.  Its tables are those of
# the program's lists, every option it names exists, every subcommand is
# described, and the commands under EXAMPLES run.
set -u
. "$SRCDIR/tests/tap.sh"
lists=$PWD/tests/lists
man=$SRCDIR/man

# --- tables ---
for page in psiview.1 psiview-train.1; do
	sh "$man/tables.sh" "$lists" mdoc "$man/$page" >"$scratch/page"
	diff "$man/$page" "$scratch/page" >"$scratch/out"
	report "$page: tables are those of the program (make man-update)" "$scratch/out"
done

# --- options: all named ones exist (the tables hold all there are) ---
"$lists" names options | sort -u >"$scratch/known"
[ -s "$scratch/known" ] || echo "the program lists no options" >"$scratch/known.bad"
for page in "$man"/*.[1-9]; do
	page=${page##*/}
	grep -oE '(Fl Fl|Op Fl Fl) [a-z0-9-]+' "$man/$page" | awk '{ print $NF }' | sort -u >"$scratch/named"
	grep -oE -- '(^|[ (\`])--[a-z][a-z0-9-]*' "$man/$page" | grep -oE '[a-z][a-z0-9-]*' | sort -u >>"$scratch/named"
	sort -u "$scratch/named" | comm -23 - "$scratch/known" >"$scratch/out"
	report "$page names only options that exist" "$scratch/out"
done

# --- environment: what the program reads is described ---
grep -rhoE --include='*.c' 'getenv\("[A-Z_]+"\)' "$SRCDIR/src" "$SRCDIR/ui" "$SRCDIR/models" | cut -d '"' -f 2 | sort -u |
	while read -r name; do
		grep -qE "^\.It Ev .*\<$name\>" "$man/psiview.1" || echo "$name"
	done >"$scratch/out"
report "every variable of the environment is described" "$scratch/out"

# --- subcommands: each has a line in the synopsis and an entry ---
for c in $("$lists" names subcommands); do
	grep -qE "^\.Cm $c( |$)" "$man/psiview.1" || echo "$c is not in the synopsis"
	grep -qE "^\.It Cm $c( |$)" "$man/psiview.1" || echo "$c is not described"
done >"$scratch/out"
report "every subcommand is described" "$scratch/out"

# --- the page of differences: each row with its switch ---
awk '/^\.It / { if (row != "" && !seen) print row; row = $0; seen = 0 } /^Switch:/ { seen = 1 }
	END { if (!seen) print row }' "$man/psiview-differences.7" >"$scratch/out"
report "every difference names its switch" "$scratch/out"

# --- form ---
if command -v mandoc >/dev/null; then
	mandoc -T lint "$man"/*.[1-9] 2>&1 | grep -v 'referenced manual not found' >"$scratch/out"
	report "mandoc finds nothing" "$scratch/out"
else
	skip "mandoc finds nothing" "mandoc is not installed"
fi

# --- EXAMPLES: lines that begin with a dollar, run one after the other ---
mkdir "$scratch/examples" "$scratch/bin"
ln -s "$PSIVIEW" "$scratch/bin/psiview"
cp "$SRCDIR/tests/golden/demo/duo-text8.safetensors" "$scratch/examples/model.safetensors"
ln -s "$SRCDIR"/data/*.safetensors "$scratch/examples"
cd "$scratch/examples" || exit 99

# A safetensors file: one row of 128 tokens, all 'a', at t = .5.
header='{"tokens":{"dtype":"I32","shape":[1,128],"data_offsets":[0,512]},"t":{"dtype":"F64","shape":[1],"data_offsets":[512,520]}}'
{
	printf "\\x$(printf %02x ${#header})\\0\\0\\0\\0\\0\\0\\0%s" "$header"
	for ((i = 0; i < 128; i++)); do printf '\x08\0\0\0'; done
	printf '\0\0\0\0\0\0\xe0\x3f'
} >inputs.safetensors

for ((i = 0; i < 200; i++)); do echo "a line of verse, the ${i}th of many"; done >poem.txt
for page in "$man"/*.[1-9]; do
	sed -n '/^\.Sh EXAMPLES/,/^\.Sh SEE/s/^\$ //p' "$page" | sed 's/\\e/\\/g; s/\\-/-/g; s/\\&//g'
done >"$scratch/commands"
[ -s "$scratch/commands" ] || echo "false # there are no examples" >"$scratch/commands"
while read -r command; do
	PATH=$scratch/bin:$PATH bash -o pipefail -c "$command" </dev/null >"$scratch/said" 2>&1
	rc=$?
	{
		[ $rc -eq 0 ] || { echo "status $rc" && head -n 5 "$scratch/said"; }
		# It says something, or writes the file that it was to write.
		file=$(sed -nE 's/.* (-o|--out) ([^ ]+).*/\2/p' <<<"$command")
		[ -s "${file:-$scratch/said}" ] || echo "nothing came of it"
	} >"$scratch/out"
	report "example: $command" "$scratch/out"
done <"$scratch/commands"

finish
