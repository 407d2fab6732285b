# media.sh: samples as files: sheets, single pictures, animations, arrays; what
# is refused, and that nothing is left behind.
set -u
. "$SRCDIR/tests/tap.sh"
same=$PWD/tests/same_picture
# The image demo, and every other image checkpoint found beside goldens.
demo=$SRCDIR/data/unet-duo.safetensors
cd "$scratch" || exit 99

point()
{
	local name=$1
	shift
	if "$@" >"$scratch/out" 2>&1; then : >"$scratch/out"; else echo "failed: $*" >>"$scratch/out"; fi
	report "$name" "$scratch/out"
}

# refuse STATUS WORDS ARGS...: one line with WORDS, that status, nothing written.
refuse()
{
	local want=$1 words=$2 rc
	shift 2
	timeout 60 "$PSIVIEW" sample "$@" </dev/null >said.out 2>said.err
	rc=$?
	: >out
	[ $rc -eq "$want" ] || echo "status $rc, not $want" >>out
	[ "$(wc -l <said.err)" -eq 1 ] || echo "not one line" >>out
	grep -qF -- "$words" said.err || echo "does not say '$words'" >>out
	[ ! -s said.out ] || echo "wrote to standard output" >>out
	[ ! -s out ] || cat said.err >>out
	report "refused: $(head -n 1 said.err | cut -c 10- | sed "s|$scratch||g" | cut -c 1-90)" out
}

sample() { "$PSIVIEW" sample "$demo" --steps 2 --seed 5 "$@"; }

sample -n 3 --class rows -o three.npy && sample -n 3 --class rows -o three.png
point "a sheet holds the pixels of the tokens" "$same" png three.png three.npy 2 1 1
sample -n 3 --class rows -o three.x --format png --zoom 2 --gap 0 --columns 3 --batch 1
point "zoom, gap, columns, --format" "$same" png three.x three.npy 3 2 0
sample -n 3 --class rows -o three.gif --batch 2
point "an animation: the start, two steps, noise removal" "$same" gif three.gif three.npy 2 1 1 4
point "to standard output" cmp three.png <(sample -n 3 --class rows --format png)
for name in 'one-%02d.png' there/; do
	sample -n 2 --class rows -o "$name"
done
sample -n 1 --class 0 -o one.npy
point "a file each" "$same" png one-00.png one.npy 1 1 1
point "a folder: made, the same files" cmp one-01.png there/sample-0001.png
recipe=$(tr '\0\n' ' ~' <one-01.png | LC_ALL=C sed -n 's/.*tEXtRecipe \([ -}]*\).*/\1/p')
recipe=${recipe%%ckpt=*}ckpt=$(expr "$recipe" : '.*ckpt=\([0-9a-f]\{64\}\)')
"$PSIVIEW" sample "$demo" --recipe "$recipe" -o again.png 2>said.err
point "the recipe in it draws it again" cmp one-01.png again.png
point "and knows the checkpoint" [ ! -s said.err ]
recipe=$(head -n 1 three.npy | LC_ALL=C sed -n 's/.*# recipe: \(.*[^ ]\) *$/\1/p')
"$PSIVIEW" sample "$demo" --recipe "$recipe" -o again.npy
point "the recipe of an array, with its count" cmp three.npy again.npy
point "by name as by number" cmp <(sample --class cat --format npy) <(sample --class 3 --format npy)
"$PSIVIEW" sample "$demo" --steps 2 --class ship --cfg 2 --format jsonl >guided
"$PSIVIEW" sample "$demo" --steps 2 --class ship --format jsonl >plain
point "guidance acts" bash -c '! cmp -s <(cut -d ] -f 1 guided) <(cut -d ] -f 1 plain)'
"$PSIVIEW" sample "$demo" --steps 2 --class ship >auto
point "without a terminal: JSON lines" cmp <(cut -d ] -f 1 plain) <(cut -d ] -f 1 auto)
point "with tokens and without text" [ "$(grep -c '"text"' plain)" -eq 0 ]

# An array that `probe` takes as its input.
sample -n 2 -o tokens.safetensors && cat tokens.safetensors >tokens.in
point "an array of tokens as safetensors" grep -qa '"recipe":"psi ' tokens.safetensors
"$PSIVIEW" sample --steps 2 -n 2 -o text.npy
point "arrays of text tokens too" grep -qa "'shape': (2, 128)" text.npy

# --- every image checkpoint of the goldens ---
find "$PSIVIEW_GOLDEN" -name '*.golden.safetensors' -path '*images*' | sort | while read -r g; do
	for f in "${g%.golden.safetensors}".ckpt "${g%.golden.safetensors}".safetensors; do
		[ -f "$f" ] && echo "$f"
	done
done >images
[ -s images ] || skip "image checkpoints" "there are no goldens of images"
while read -r f; do
	"$PSIVIEW" sample "$f" --steps 2 -n 2 -o two.png && "$PSIVIEW" sample "$f" --steps 2 -n 2 -o two.npy
	point "${f##*/}: a sheet" "$same" png two.png two.npy 2 1 1
done <images

# --- what is refused ---
refuse 2 "text" "$demo" --format text
refuse 2 "does not say which format" "$demo" -o file.xyz
refuse 2 "no picture can be made" --steps 2 -o text.png
refuse 2 "--class 'unicorn'" "$demo" --class unicorn
refuse 2 "--class 'cat'" --class cat
refuse 2 "needs -o" "$demo" --format safetensors
refuse 2 "a file each" "$demo" -o 'x%d.npy'
refuse 2 "into the file's name" "$demo" -o 'x%d/y.png'
refuse 2 "too large" "$demo" -n 100000 --zoom 64 -o large.gif
refuse 1 "none/x.png: No such file" "$demo" -o none/x.png
refuse 1 "none/x.safetensors: cannot be written: No such file" "$demo" -o none/x.safetensors
refuse 1 "none/: No such file" "$demo" -o 'none/%d.png'
mkdir plain.npy
refuse 1 "plain.npy: is a directory" "$demo" --steps 2 -o plain.npy --format npy
for f in png gif npy; do
	[ -e /dev/full ] && refuse 1 "/dev/full: No space left" "$demo" --steps 2 -o /dev/full --format $f
done
[ -e /dev/full ] && refuse 1 "/dev/full: is not a regular file" "$demo" -o /dev/full --format safetensors

# A disk that fills up: one line, status 1, the old file as it was.
echo old >kept
for f in png gif npy safetensors; do
	(
		ulimit -f 1
		trap '' XFSZ
		sample -n 4 --zoom 8 -o kept --format $f 2>said.err
		[ $? -eq 1 ] && [ "$(wc -l <said.err)" -eq 1 ]
	)
	point "$f: a full disk is told" [ $? -eq 0 ]
done
point "and the old file stays" [ "$(cat kept)" = old ]
for f in ./*.part ./*.tmp; do [ -e "$f" ] && echo "$f"; done >out
[ ! -e none ] || echo none >>out
report "nothing is left behind" out

finish
