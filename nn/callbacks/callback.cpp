// What callbacks know of the run they are part of.
#include "nn/callbacks/callback.h"

#include "tensor/error.h"

namespace milgrad::nn {

std::string Run::key_names() const {
  std::string text;
  for (const Key& key : keys) text += (text.empty() ? "" : ", ") + key.name;
  return text;
}

const Run::Key* Run::find_key(std::string_view name) const {
  for (const Key& key : keys) {
    if (key.name == name) return &key;
  }
  return nullptr;
}

Run& Callback::run() const {
  if (run_ == nullptr)
    throw ValueError("[callback] no training is running", "pass the callback to fit()");
  return *run_;
}

}  // namespace milgrad::nn
