// Accuracies: the share of samples whose class was predicted.
#pragma once

#include "nn/metrics/mean.h"

namespace milgrad::nn {

struct AccuracyOptions {
  std::string name = "accuracy";
};
/// Chooses by shapes as Keras does for "accuracy": a last axis of 1 in the predictions means
/// binary; labels of lower rank, or with a last axis of 1, mean sparse; else categorical.
std::shared_ptr<Metric> Accuracy(const AccuracyOptions& options = {});

struct SparseCategoricalAccuracyOptions {
  std::string name = "sparse_categorical_accuracy";
};
/// argmax of the predictions [n, classes] (the first of equal ones) equals the label [n] or [n, 1].
std::shared_ptr<Metric> SparseCategoricalAccuracy(
    const SparseCategoricalAccuracyOptions& options = {});

struct CategoricalAccuracyOptions {
  std::string name = "categorical_accuracy";
};
/// argmax of the predictions equals argmax of the labels, both [n, classes].
std::shared_ptr<Metric> CategoricalAccuracy(const CategoricalAccuracyOptions& options = {});

struct BinaryAccuracyOptions {
  std::string name = "binary_accuracy";
  double threshold = 0.5;
};
/// Prediction > threshold equals the label, averaged over the last axis.
std::shared_ptr<Metric> BinaryAccuracy(const BinaryAccuracyOptions& options = {});

}  // namespace milgrad::nn
