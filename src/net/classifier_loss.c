/*
 * classifier_loss.c: the last layer of a noisy classifier and its loss: the
 * mean over positions, one linear layer, log softmax, cross entropy; in double.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "net/classifier.h"

enum status
classifier_layer(int rows, int width, int classes, const float *feat, const float *weight, const float *bias,
		 double *mean, double *log_p, struct error *e)
{
	double top = -INFINITY, sum = 0;

	memset(mean, 0, (size_t)width * sizeof *mean);
	for (int l = 0; l < rows; l++)
		for (int d = 0; d < width; d++)
			mean[d] += (double)feat[(size_t)l * (size_t)width + (size_t)d] / rows;
	for (int y = 0; y < classes; y++) {
		log_p[y] = (double)bias[y];
		for (int d = 0; d < width; d++)
			log_p[y] += mean[d] * (double)weight[(size_t)y * (size_t)width + (size_t)d];
		top = fmax(top, log_p[y]);
	}
	if (!isfinite(top))
		return error_set(e, ST_NUMERIC, "the classifier gave NaN or infinity");
	for (int y = 0; y < classes; y++)
		sum += exp(log_p[y] - top);
	for (int y = 0; y < classes; y++)
		log_p[y] -= top + log(sum);
	return ST_OK;
}

struct layer {
	int rows, width, classes;
	const float *weight, *bias;
	float *d_weight, *d_bias; /* NULL: not asked */
	double *mean, *p;	  /* [width], [classes] */
	float *d_mean;		  /* [width] of one row */
};

/* d loss / d logit = p - onehot(label); to the parameters, and to each row of the mean. */
static void
back(const struct layer *m, int label, double scale, float *d_feat)
{
	for (int d = 0; d < m->width; d++) {
		double sum = 0;
		for (int y = 0; y < m->classes; y++) {
			size_t at = (size_t)y * (size_t)m->width + (size_t)d;
			double g = scale * (exp(m->p[y]) - (y == label));
			sum += g * (double)m->weight[at];
			if (m->d_weight)
				m->d_weight[at] += (float)(g * m->mean[d]);
		}
		m->d_mean[d] = (float)(sum / m->rows);
	}
	for (int y = 0; m->d_bias && y < m->classes; y++)
		m->d_bias[y] += (float)(scale * (exp(m->p[y]) - (y == label)));
	for (int l = 0; d_feat && l < m->rows; l++)
		memcpy(d_feat + (size_t)l * (size_t)m->width, m->d_mean, (size_t)m->width * sizeof *d_feat);
}

static bool
likeliest(const struct layer *m, int label)
{
	for (int y = 0; y < m->classes; y++)
		if (m->p[y] > m->p[label])
			return false;
	return true;
}

static enum status
layer_of(const struct flat *f, const float *param, float *grad, struct layer *m, struct error *e)
{
	const struct net *net = f->net;
	int w = net_find_param(net, "classifier.weight"), b = net_find_param(net, "classifier.bias");

	if (w < 0 || b < 0 || net->par[w].dim[1] != net->F)
		return error_set(e, ST_FAIL, "the network ends in no classifier");
	*m = (struct layer){ .rows = net->value[net->feature].rows ? net->value[net->feature].rows : net->L,
			     .width = net->F,
			     .classes = (int)net->par[w].dim[0],
			     .weight = param + f->at[w],
			     .bias = param + f->at[b],
			     .d_weight = grad ? grad + f->at[w] : NULL,
			     .d_bias = grad ? grad + f->at[b] : NULL };
	m->mean = mem_calloc((size_t)m->width, sizeof *m->mean);
	m->p = mem_calloc((size_t)m->classes, sizeof *m->p);
	m->d_mean = mem_calloc((size_t)m->width, sizeof *m->d_mean);
	return m->mean && m->p && m->d_mean ? ST_OK : error_set(e, ST_MEMORY, "out of memory");
}

enum status
classifier_loss(const struct flat *f, const float *param, int n, const float *feat, const int *label, double weight,
		double *loss, int *right, float *d_feat, float *grad, struct error *e)
{
	struct layer m = { 0 };
	size_t sample = (size_t)f->net->L * (size_t)f->net->F;
	enum status st = layer_of(f, param, grad, &m, e);

	*right = 0;
	if (st == ST_OK && d_feat)
		memset(d_feat, 0, (size_t)n * sample * sizeof *d_feat);
	for (int i = 0; i < n && st == ST_OK; i++) {
		if (label[i] < 0 || label[i] >= m.classes) {
			st = error_set(e, ST_USAGE, "label %d: the classifier has labels 0 to %d", label[i],
				       m.classes - 1);
			break;
		}
		st = classifier_layer(m.rows, m.width, m.classes, feat + (size_t)i * sample, m.weight, m.bias, m.mean,
				      m.p, e);
		if (st != ST_OK)
			break;
		loss[i] = -m.p[label[i]];
		*right += likeliest(&m, label[i]);
		if (d_feat || grad)
			back(&m, label[i], weight, d_feat ? d_feat + (size_t)i * sample : NULL);
	}
	free(m.mean);
	free(m.p);
	free(m.d_mean);
	return st;
}
