dist_pkgdata_DATA += data/shakespeare-duo.safetensors data/shakespeare-mdlm.safetensors \
	data/sudoku6-duo.safetensors \
	data/sudoku6-mdlm.safetensors data/unet-duo.safetensors
EXTRA_DIST += data/README.md
# The bundled demos, trained again (hours): make demos DEMO_TEXT=tinyshakespeare.txt
DEMO_TEXT = tinyshakespeare.txt
DEMOS = shakespeare-duo shakespeare-mdlm sudoku6-duo sudoku6-mdlm
DEMO_RECIPES = $(DEMOS:%=data/recipes/%)

.PHONY: demos
demos: psiview$(EXEEXT)
	@for d in $(DEMOS); do \
		sh $(srcdir)/data/recipes/train.sh ./psiview$(EXEEXT) $(srcdir)/data/recipes/$$d '$(DEMO_TEXT)' demos \
			|| exit 1; \
	done
EXTRA_DIST += data/recipes/train.sh $(DEMO_RECIPES) data/recipes/sudoku6-duo.log.jsonl data/recipes/sudoku6-mdlm.log.jsonl \
	data/recipes/shakespeare-duo.log.jsonl data/recipes/shakespeare-mdlm.log.jsonl
