# completion.sh: the shell completions hold the program's own words, and
# complete: sourced in bash, and in zsh where that is installed.
set -u
. "$SRCDIR/tests/tap.sh"
lists=$PWD/tests/lists
bash_file=$SRCDIR/data/completions/psiview.bash
zsh_file=$SRCDIR/data/completions/_psiview

# same FORM FILE: FILE holds what the program's lists say.
same()
{
	sh "$SRCDIR/man/tables.sh" "$lists" "$1" "$2" | diff "$2" - >"$scratch/out" 2>&1
	report "${2##*/} has the program's words (make man-update)" "$scratch/out"
}
same bash "$bash_file"
same zsh "$zsh_file"

# completes WANT WORD...: completing the last WORD of `psiview WORD...` offers
# exactly the words of WANT.
completes()
{
	local want=$1
	shift
	COMP_WORDS=(psiview "$@") COMP_CWORD=$#
	COMPREPLY=()
	_psiview
	printf '%s\n' "${COMPREPLY[@]}" | sort | xargs >"$scratch/got"
	printf '%s\n' $want | sort | xargs >"$scratch/want"
	diff "$scratch/want" "$scratch/got" >"$scratch/out"
	report "psiview $* -> $want" "$scratch/out"
}

cd "$scratch" || exit 99
touch one.ckpt two.ckpt
. "$bash_file"
completes 'sample' sam
completes 'verify' ver
completes 'one.ckpt' on
completes 'one.ckpt' sample on
completes '--temperature=' sample --temp
completes '--theme=' --them
completes '' info --preset
completes '--json' info --j
completes 'text jsonl png gif npy safetensors' sample --format = ''
completes 'jsonl' sample --format = j
completes 'jsonl' sample --format j
completes 'bf16' export one.ckpt --dtype = b
completes 'two.ckpt' sample --output = tw
completes 'two.ckpt' sample -o tw
completes '' sample --seed = 1
completes 'probe' help pr
completes '--save-every=' train --save
completes 'text-tiny text-small' train --preset = text
completes 'mdlm duo_base ar sedd d3pm' train --loss = ''
completes 'one.ckpt' train --init = on
completes '--curriculum= --curriculum-compat --curriculum-end=' train --curr
completes 'yes no' train --mirror = ''
completes 'csv jsonl' sweep --format = ''

completes '--seed= --seeds=' sweep --seed
completes 'sudoku4 sudoku6 sudoku9' sweep --valid = ''

# Every option of the list is offered for some command.
for s in screen sample probe eval info verify export sweep train help; do
	_psiview_options $s
done | tr ' ' '\n' | sed -n 's/^--//; s/=$//; /./p' | sort -u >"$scratch/offered"
"$lists" names options | sort -u | diff - "$scratch/offered" >"$scratch/out"
report "bash offers every option" "$scratch/out"

# zsh: what the completion hands to _arguments, seen by functions in its place.
zsh_says()
{
	zsh -f -c '_arguments() { print -rl -- "$@" }; _describe() { print -rl -- "${commands[@]}" }; _files() { }
		words=("${@[2,-1]}") CURRENT=$(( $# - 1 )); source "$1"' zsh "$zsh_file" "$@"
}
if command -v zsh >/dev/null; then
	zsh -n "$zsh_file" >"$scratch/out" 2>&1
	report "zsh reads its file" "$scratch/out"
	zsh_says psiview '' | sed 's/:.*//' | sort | diff <("$lists" names subcommands | sort) - >"$scratch/out"
	report "zsh offers the commands" "$scratch/out"
	for s in '--x' sample probe eval info verify export sweep train help; do
		zsh_says psiview $s --
	done | sed -nE 's/^[*]?--([a-z0-9-]+).*/\1/p' | sort -u | diff <("$lists" names options | sort -u) - >"$scratch/out"
	report "zsh offers every option" "$scratch/out"
	zsh_says psiview info -- | grep -q -e '^--preset' && echo "--preset is no option of info" >"$scratch/out"
	report "zsh offers info its own options only" "$scratch/out"
else
	skip "zsh reads its file" "zsh is not installed"
fi

finish
