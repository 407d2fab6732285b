bashcompletiondir = $(datadir)/bash-completion/completions
zshcompletiondir = $(datadir)/zsh/site-functions
dist_zshcompletion_DATA = data/completions/_psiview
EXTRA_DIST += data/completions/psiview.bash

# bash finds a completion by the name of its command.
install-data-local:
	$(MKDIR_P) '$(DESTDIR)$(bashcompletiondir)'
	$(INSTALL_DATA) $(srcdir)/data/completions/psiview.bash '$(DESTDIR)$(bashcompletiondir)/psiview'

uninstall-local:
	rm -f '$(DESTDIR)$(bashcompletiondir)/psiview'
