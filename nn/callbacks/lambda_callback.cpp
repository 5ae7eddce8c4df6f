// LambdaCallback: events handed on to functions.
#include "nn/callbacks/lambda_callback.h"

#include <utility>

namespace milgrad::nn {
namespace {

class FunctionCallback final : public Callback {
 public:
  explicit FunctionCallback(LambdaCallbackOptions options) : options_(std::move(options)) {}

  void on_train_begin() override { call(options_.on_train_begin); }
  void on_train_end(const Logs& logs) override { call(options_.on_train_end, logs); }
  void on_epoch_begin(int epoch) override { call(options_.on_epoch_begin, epoch); }
  void on_epoch_end(int epoch, Logs& logs) override { call(options_.on_epoch_end, epoch, logs); }
  void on_train_batch_begin(std::int64_t batch) override {
    call(options_.on_train_batch_begin, batch);
  }
  void on_train_batch_end(std::int64_t batch, const BatchLogs& logs) override {
    call(options_.on_train_batch_end, batch, logs);
  }
  bool watches_inference_batches() const override { return false; }

 private:
  template <class Function, class... Arguments>
  void call(const Function& function, Arguments&&... arguments) const {
    if (function) function(run(), std::forward<Arguments>(arguments)...);
  }

  LambdaCallbackOptions options_;
};

}  // namespace

std::shared_ptr<Callback> LambdaCallback(const LambdaCallbackOptions& options) {
  return std::make_shared<FunctionCallback>(options);
}

}  // namespace milgrad::nn
