libpsiview_a_SOURCES += \
	src/text/bpe.h src/text/bpe.c \
	src/text/chars.c \
	src/text/encode.c \
	src/text/layout.h src/text/layout.c \
	src/text/load.h \
	src/text/load_bpe.c \
	src/text/load_json.c \
	src/text/load_wordpiece.c \
	src/text/named.c \
	src/text/open.c \
	src/text/private.h \
	src/text/show.h src/text/show.c \
	src/text/token.h src/text/token.c \
	src/text/utf8.h src/text/utf8.c \
	src/text/wordpiece.h src/text/wordpiece.c \
	src/text/words.h src/text/words.c
