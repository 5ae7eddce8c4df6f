// TerminateOnNaN: the test of the loss after each batch.
#include "nn/callbacks/terminate_on_nan.h"

#include "tensor/error.h"

#include <cmath>
#include <ostream>

#include <fmt/format.h>

namespace milgrad::nn {

void TerminateOnNaNCallback::on_train_batch_end(std::int64_t batch, const BatchLogs& logs) {
  const double loss = logs.loss();
  if (std::isfinite(loss)) return;
  if (options_.raise_error)
    throw NonFiniteError(fmt::format("[TerminateOnNaN] the loss is {} after batch {} of epoch {}",
                                     loss, batch + 1, epoch_ + 1),
                         "look for NaN or infinite inputs, or lower the learning rate");
  *run().output << fmt::format("Batch {}: Invalid loss, terminating training\n", batch);
  run().stop_training = true;
}

std::shared_ptr<TerminateOnNaNCallback> TerminateOnNaN(const TerminateOnNaNOptions& options) {
  return std::make_shared<TerminateOnNaNCallback>(options);
}

}  // namespace milgrad::nn
