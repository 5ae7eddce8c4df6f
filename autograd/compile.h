// compile(): a function of tensors that runs as programs, one for each kind of arguments.
#pragma once

#include "autograd/program.h"

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace milgrad {

class Profile;

struct CompileOptions {
  /// In errors and in the log.
  std::string name = "function";
  /// Programs that are kept; beyond that the one whose last call is longest ago goes.
  std::size_t capacity = 16;
  /// Whether leading sizes that change from call to call become symbolic.
  bool symbolic = true;
  ProgramOptions program = {};
};

/// A compiled function. A call looks for the program of its signature (shapes and dtypes of the
/// arguments); where there is none, the function is traced and the trace compiled. Where calls
/// differ in leading sizes alone, the third different one traces with symbolic sizes, and that
/// program serves all that follow: sizes that were equal in every call so far have one symbol, and
/// those that never changed stay fixed. A function that cannot be traced so (it throws ShapeError
/// or TraceError, or reads a leading size as a number) is traced for each signature, and the log
/// says so: set MILGRAD_LOG=compile.
///
/// What the function does besides operations happens while it is traced and never again. It must
/// not choose by leading sizes what it does (`if (x.size(0) == 1)`), or `symbolic` must be off.
///
/// Programs are not differentiated: arguments on the tape throw GradientError, and results are
/// constants to grad(). One thread at a time may call it. Inside of a trace the function itself is
/// traced.
class CompiledFunction {
 public:
  using Function = std::function<Tensors(const Tensors&)>;

  /// Throws ValueError if there is no function, or for a capacity of 0.
  CompiledFunction(Function function, CompileOptions options);
  ~CompiledFunction();
  CompiledFunction(CompiledFunction&&) noexcept;
  CompiledFunction& operator=(CompiledFunction&&) noexcept;

  /// Copies of the results. Throws what the function throws while it is traced.
  Tensors operator()(const Tensors& arguments);
  /// The results where the program has them: the next call overwrites them, and one that is the
  /// value of a Variable shows its later updates. Nothing is allocated for a signature that came
  /// before, but for the handle of a result that is an argument.
  /// A profile sums its kernel calls under the function's name.
  std::span<const Tensor> replay(std::span<const Tensor> arguments, Profile* profile = nullptr);

  /// How often the function was traced.
  int traces() const { return traces_; }
  /// How many programs are kept.
  std::size_t programs() const { return entries_.size(); }
  /// That of the latest call. Throws ValueError before the first.
  Program& program() const;

 private:
  struct Entry;
  struct Family;

  Entry& entry_for(std::span<const Tensor> arguments);
  void check(std::span<const Tensor> arguments) const;
  Family& family_of(std::span<const Tensor> arguments);
  Graph trace_once(const std::vector<Spec>& signature);
  std::unique_ptr<Entry> make_entry(std::vector<Spec> signature, std::vector<int> symbols,
                                    Graph graph) const;
  std::unique_ptr<Entry> compile_fixed(std::span<const Tensor> arguments);
  std::unique_ptr<Entry> compile_symbolic(Family& family);

  Function function_;
  CompileOptions options_;
  std::vector<std::unique_ptr<Entry>> entries_;    // latest call first
  std::vector<std::unique_ptr<Family>> families_;  // latest trace first
  int traces_ = 0;
};

CompiledFunction compile(CompiledFunction::Function function, CompileOptions options = {});

}  // namespace milgrad
