/*
 * config.h: what a checkpoint says about itself, in one form for every file
 * format.  Field names are those of the published configuration.
 *
 * A field that the file does not give holds CONFIG_UNSET (ints), NAN
 * (doubles) or "" (strings) after parsing; config_complete() then fills in
 * what follows from tensor shapes and defaults, or names the option that helps.
 */
#ifndef PSI_CKPT_CONFIG_H
#define PSI_CKPT_CONFIG_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#define CONFIG_UNSET INT_MIN
#define CONFIG_SCALES 8

enum backbone { BACKBONE_UNKNOWN, BACKBONE_DIT, BACKBONE_UNET, BACKBONE_GPT2, BACKBONE_CLASSIFIER };
enum algo { ALGO_UNKNOWN, ALGO_DUO, ALGO_DUO_BASE, ALGO_UDLM, ALGO_MDLM, ALGO_D3PM, ALGO_SEDD, ALGO_AR, ALGO_GPT2,
    ALGO_CLASSIFIER };
enum schedule { SCHEDULE_UNKNOWN, SCHEDULE_LOGLINEAR, SCHEDULE_COSINE };

struct config {
	enum algo algo;
	enum backbone backbone;
	char algo_name[32], parameterization[32], loss_type[32], size[32];
	char backbone_name[32], noise_name[32];   /* as the file says */
	char path[64];                 /* where the fields come from, for messages: "config", "config.json", ... */
	int time_conditioning;         /* 0, 1 or CONFIG_UNSET, as the file says; .timed is what holds */
	bool timed;                    /* after completion: the network gets sigma (else 0) */
	bool time_input;               /* the network has a time input at all (false: causal) */
	int causal;                    /* 0, 1 */
	int T, subs_masking, ignore_bos;
	int label_cond;                /* the model has a label table */
	int classes;                   /* 0: none */
	/* DiT and GPT-2 */
	int hidden, cond_dim, length, n_blocks, n_heads;
	int vocab, mask;               /* mask: id of [MASK]; -1: uniform noise */
	int bos;                       /* own files: the token of position 0 (ignore_bos, causal); else CONFIG_UNSET */
	double dropout;
	/* U-Net */
	int unet_time;                 /* model.time_conditioning: it has a time MLP; .timed says whether sigma is 0 */
	int ch, num_res_blocks, num_scales, ch_mult[CONFIG_SCALES], attn_scale /* scale_count_to_put_attn */,
	    time_embed_dim, skip_rescale, fix_logistic;
	double time_scale_factor;
	/* noise */
	enum schedule schedule;
	double eps;
	/* data */
	char modality[16], tokenizer_name[128];
	double ema_decay;
	long long step, epoch;
};

/* What the command line may say in place of the file: --algo, --noise, --eps,
 * --length, --heads, --mask ...; same unset values. */
struct config_override {
	const char *algo, *noise;
	double eps;
	int length, heads, mask, classes;
};

void config_init(struct config *c);
void config_override_init(struct config_override *o);

/* A completed configuration as JSON, for the metadata of psiview's own files:
 * the published field names, plus model.mask.  malloced; NULL: out of memory. */
char *config_to_json(const struct config *c);
/* The config.json of the published Hugging Face folders; dtype: "float32",
 * "bfloat16" or "float16".  NULL with *why set when this family has none. */
char *config_to_hf(const struct config *c, const char *dtype, const char **why);

const char *algo_name(enum algo a);
const char *backbone_name(enum backbone b);
const char *schedule_name(enum schedule s);

#endif
