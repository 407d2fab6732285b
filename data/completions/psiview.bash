# bash completion for psiview.  The words between the marks come from the
# program's own lists (make man-update) and are checked by make check.

# begin words
_psiview_subcommands='sample probe eval info verify export sweep train help'

_psiview_options()
{
	case $1 in
	screen) echo '--count= --preset= --recipe= --clamp= --format= --output= --class= --zoom= --gap= --columns= --batch= --threads= --cache= --raw --tokenizer= --algo= --noise= --eps= --length= --heads= --mask= --classes= --plain --no-probe --mouse --theme= --images= --record= --play= --terminal-info --print-config --help --version --classifier= --kappa= --zone-high= --zone-mid= --zone-low= --per= --profile= --high= --middle= --steps= --removal= --top-p= --top-k= --temperature= --cfg= --cfg-mix= --cls= --guide= --label= --d3pm-compat= --seed= --first= --weights= ' ;;
	sample) echo '--count= --preset= --recipe= --clamp= --format= --output= --class= --zoom= --gap= --columns= --batch= --threads= --raw --tokenizer= --algo= --noise= --eps= --length= --heads= --mask= --classes= --print-config --help --version --classifier= --kappa= --zone-high= --zone-mid= --zone-low= --per= --profile= --high= --middle= --steps= --removal= --top-p= --top-k= --temperature= --cfg= --cfg-mix= --cls= --guide= --label= --d3pm-compat= --seed= --first= --weights= ' ;;
	probe) echo '--threads= --in= --out= --positions= --raw --algo= --noise= --eps= --length= --heads= --mask= --classes= --help --version ' ;;
	eval) echo '--count= --threads= --in= --whole-batches= --json --tokenizer= --algo= --noise= --eps= --length= --heads= --mask= --classes= --help --version --data= ' ;;
	info) echo '--json --tokenizer= --algo= --noise= --eps= --length= --heads= --mask= --classes= --help --version ' ;;
	verify) echo '--threads= --tokenizer= --algo= --noise= --eps= --length= --heads= --mask= --classes= --help --version ' ;;
	export) echo '--output= --dtype= --raw --tokenizer= --algo= --noise= --eps= --length= --heads= --mask= --classes= --help --version ' ;;
	sweep) echo '--count= --preset= --recipe= --clamp= --output= --class= --batch= --threads= --raw --tokenizer= --algo= --noise= --eps= --length= --heads= --mask= --classes= --help --version --classifier= --grid= --seeds= --format= --valid= --scorer= --bound= --data= --kappa= --zone-high= --zone-mid= --zone-low= --per= --profile= --high= --middle= --steps= --removal= --top-p= --top-k= --temperature= --cfg= --cfg-mix= --cls= --guide= --label= --d3pm-compat= --seed= --first= --weights= ' ;;
	train) echo '--threads= --preset= --resume --force --dry-run --quiet --log= --help --version --task= --data= --sudoku= --tokenizer= --loss= --curriculum= --backbone= --length= --hidden= --blocks= --heads= --cond= --ch= --ch-mult= --res-blocks= --attention-scale= --dropout= --noise= --eps= --batch= --lr= --steps= --seed= --warmup= --lr-schedule= --beta1= --beta2= --adam-eps= --weight-decay= --clip= --ema= --held-out= --mirror --labels --label-dropout= --d3pm-steps= --first-time= --k= --tau= --gamma-min= --gamma-max= --operator-degree= --curriculum-compat --curriculum-end= --goal= --init= --init-state --teacher= --distill-every= --distill-steps= --forward-kl --save-every= --valid-every= --log-every= --valid-samples= --show-samples= --show-steps= --memory= ' ;;
	help) echo '--help --version ' ;;
	esac
}

_psiview_value()
{
	case $1:$2 in
	train:-p | train:--preset) echo 'words:text-tiny text-small sudoku6 cifar10-small cifar10 owt-small' ;;
	sweep:--format) echo 'words:csv jsonl' ;;
	train:--data) echo file ;;
	train:--tokenizer) echo file ;;
	train:--length) echo any ;;
	train:--heads) echo any ;;
	train:--noise) echo 'words:log-linear cosine' ;;
	train:--eps) echo any ;;
	train:--batch) echo any ;;
	train:--steps) echo any ;;
	train:--seed) echo any ;;
	*:-n | *:--count) echo any ;;
	*:-p | *:--preset) echo 'words:cap-0.01 rescale-0.05 loop-0.01 images images-masked ancestral pc greedy-tail' ;;
	*:--recipe) echo any ;;
	*:--clamp) echo any ;;
	*:--format) echo 'words:text jsonl png gif npy safetensors' ;;
	*:-o | *:--output) echo file ;;
	*:--class) echo any ;;
	*:--zoom) echo any ;;
	*:--gap) echo any ;;
	*:--columns) echo any ;;
	*:--batch) echo any ;;
	*:-t | *:--threads) echo any ;;
	*:--cache) echo any ;;
	*:--in) echo file ;;
	*:--whole-batches) echo any ;;
	*:--out) echo file ;;
	*:--positions) echo any ;;
	*:--dtype) echo 'words:f32 bf16 f16' ;;
	*:--tokenizer) echo file ;;
	*:--algo) echo any ;;
	*:--noise) echo 'words:log-linear cosine' ;;
	*:--eps) echo any ;;
	*:--length) echo any ;;
	*:--heads) echo any ;;
	*:--mask) echo any ;;
	*:--classes) echo any ;;
	*:--log) echo file ;;
	*:--theme) echo 'words:auto dark light mono' ;;
	*:--images) echo 'words:auto sixel half ascii off' ;;
	*:--record) echo file ;;
	*:--play) echo file ;;
	*:--classifier) echo file ;;
	*:--grid) echo any ;;
	*:--seeds) echo any ;;
	*:--valid) echo 'words:sudoku4 sudoku6 sudoku9' ;;
	*:--scorer) echo file ;;
	*:--bound) echo any ;;
	*:--data) echo file ;;
	*:--kappa) echo any ;;
	*:--zone-high) echo any ;;
	*:--zone-mid) echo any ;;
	*:--zone-low) echo any ;;
	*:--per) echo 'words:none conf informed' ;;
	*:--profile) echo any ;;
	*:--high) echo any ;;
	*:--middle) echo any ;;
	*:--steps) echo any ;;
	*:--removal) echo 'words:ancestral greedy none' ;;
	*:--top-p) echo any ;;
	*:--top-k) echo any ;;
	*:--temperature) echo any ;;
	*:--cfg) echo any ;;
	*:--cfg-mix) echo 'words:x-theta posterior' ;;
	*:--cls) echo any ;;
	*:--guide) echo 'words:first exact' ;;
	*:--label) echo any ;;
	*:--d3pm-compat) echo 'words:off on' ;;
	*:--seed) echo any ;;
	*:--first) echo any ;;
	*:--weights) echo 'words:ema raw' ;;
	*:--task) echo 'words:text images sudoku' ;;
	*:--sudoku) echo any ;;
	*:--loss) echo 'words:mdlm duo_base ar sedd d3pm' ;;
	*:--curriculum) echo 'words:none simple efficient' ;;
	*:--backbone) echo 'words:dit unet' ;;
	*:--hidden) echo any ;;
	*:--blocks) echo any ;;
	*:--cond) echo any ;;
	*:--ch) echo any ;;
	*:--ch-mult) echo file ;;
	*:--res-blocks) echo any ;;
	*:--attention-scale) echo any ;;
	*:--dropout) echo any ;;
	*:--lr) echo any ;;
	*:--warmup) echo any ;;
	*:--lr-schedule) echo 'words:constant cosine' ;;
	*:--beta1) echo any ;;
	*:--beta2) echo any ;;
	*:--adam-eps) echo any ;;
	*:--weight-decay) echo any ;;
	*:--clip) echo any ;;
	*:--ema) echo any ;;
	*:--held-out) echo any ;;
	*:--mirror) echo 'words:yes no' ;;
	*:--labels) echo 'words:yes no' ;;
	*:--label-dropout) echo any ;;
	*:--d3pm-steps) echo any ;;
	*:--first-time) echo any ;;
	*:--k) echo any ;;
	*:--tau) echo any ;;
	*:--gamma-min) echo any ;;
	*:--gamma-max) echo any ;;
	*:--operator-degree) echo any ;;
	*:--curriculum-compat) echo 'words:yes no' ;;
	*:--curriculum-end) echo any ;;
	*:--goal) echo 'words:model classifier distill' ;;
	*:--init) echo file ;;
	*:--init-state) echo 'words:yes no' ;;
	*:--teacher) echo file ;;
	*:--distill-every) echo any ;;
	*:--distill-steps) echo any ;;
	*:--forward-kl) echo 'words:yes no' ;;
	*:--save-every) echo any ;;
	*:--valid-every) echo any ;;
	*:--log-every) echo any ;;
	*:--valid-samples) echo any ;;
	*:--show-samples) echo any ;;
	*:--show-steps) echo any ;;
	*:--memory) echo any ;;
	esac
}
# end words

_psiview()
{
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} sub=screen word
	# "--name=value" arrives as three words where = breaks words.
	if [[ $current == = ]]; then
		current=
	elif [[ $previous == = ]] && ((COMP_CWORD >= 2)); then
		previous=${COMP_WORDS[COMP_CWORD - 2]}
	fi
	for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
		[[ " $_psiview_subcommands " == *" $word "* ]] && sub=$word && break
	done
	local kind
	kind=$(_psiview_value "$sub" "$previous")
	COMPREPLY=()
	case $kind in
	file) mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
	words:*) mapfile -t COMPREPLY < <(compgen -W "${kind#words:}" -- "$current") ;;
	any) ;;
	*)
		if [[ $current == -* ]]; then
			mapfile -t COMPREPLY < <(compgen -W "$(_psiview_options "$sub")" -- "$current")
			[[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace 2>/dev/null
		elif [[ $sub == help ]] || { [[ $sub == screen ]] && ((COMP_CWORD == 1)); }; then
			mapfile -t COMPREPLY < <(compgen -W "$_psiview_subcommands" -- "$current")
			[[ $sub == help ]] || mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$current")
		else
			mapfile -t COMPREPLY < <(compgen -f -- "$current")
		fi
		;;
	esac
}
complete -o filenames -F _psiview psiview
