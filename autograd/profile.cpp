// Timing kernel calls, and printing what came of it.
#include "autograd/profile.h"

#include <algorithm>

#include <fmt/format.h>
#include <sys/resource.h>

namespace milgrad {
namespace {

constexpr std::size_t kNodesShown = 25;

std::string node_text(const Program& program, int operation) {
  const Graph& graph = program.graph();
  const Graph::Operation& op = graph.operation(operation);
  const auto shape = [&](Value v) {
    return " " + program.specs()[static_cast<std::size_t>(v)].shape.to_string();
  };
  std::string text = op.outputs.empty() ? "" : fmt::format("%{} ", op.outputs[0]);
  text += name_of(op.op);
  for (Value v : op.inputs) text += shape(v);
  text += op.outputs.empty() ? "" : " ->";
  for (Value v : op.outputs) text += shape(v);
  return text + (op.scope.empty() ? "" : "  # " + op.scope);
}

Cost cost_of(const Program& program, int operation) {
  const Graph::Operation& op = program.graph().operation(operation);
  std::vector<Spec> inputs, outputs;
  for (Value v : op.inputs) inputs.push_back(program.specs()[static_cast<std::size_t>(v)]);
  for (Value v : op.outputs) outputs.push_back(program.specs()[static_cast<std::size_t>(v)]);
  return definition(op.op).cost.value(inputs, outputs, op.attrs);
}

std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    if (static_cast<unsigned char>(c) < 0x20)
      result += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
    else
      result += c;
  }
  return result + "\"";
}

/// What a line of the table adds up.
struct Sum {
  std::string name;
  std::int64_t calls = 0;
  double seconds = 0, flops = 0, bytes = 0;

  void add(const Profile::Row& row) {
    const auto times = static_cast<double>(row.calls);
    calls += row.calls;
    seconds += row.seconds;
    flops += times * row.cost.flops;
    bytes += times * row.cost.bytes;
  }
};

double per_second(double amount, double seconds) { return seconds > 0 ? amount / seconds : 0; }

std::string line(const Sum& sum, double total) {
  return fmt::format("{:>10} {:>11.3f} {:>9.3f} {:>6.1f} {:>9.2f} {:>9.2f}  {}\n", sum.calls,
                     1e3 * sum.seconds, 1e6 * sum.seconds / static_cast<double>(sum.calls),
                     100 * per_second(sum.seconds, total),
                     per_second(sum.flops, sum.seconds) * 1e-9,
                     per_second(sum.bytes, sum.seconds) * 1e-9, sum.name);
}

std::string header(const char* last) {
  return fmt::format("{:>10} {:>11} {:>9} {:>6} {:>9} {:>9}  {}\n", "calls", "time ms", "us/call",
                     "%", "GFLOP/s", "GB/s", last);
}

double peak_megabytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

}  // namespace

/// The observer of one program: finds the rows of its calls once for all replays of one shape.
class Profile::Watch : public ReplayObserver {
 public:
  Watch(Profile& profile, const Program& program, std::string name)
      : profile_(profile), program_(program), name_(std::move(name)) {}

  void before(std::size_t call) override {
    if (call == 0 && !is_current()) find_rows();
    start_ = Clock::now();
  }
  void after(std::size_t call) override {
    const auto end = Clock::now();
    profile_.record(*rows_[call], start_, end);
  }

 private:
  std::vector<Spec> shapes() const {
    std::vector<Spec> specs;
    for (Value v : program_.graph().inputs)
      specs.push_back(program_.specs()[static_cast<std::size_t>(v)]);
    return specs;
  }

  bool is_current() const {
    return calls_ == program_.calls().data() && operations_ == program_.graph().operations.data() &&
           rows_.size() == program_.calls().size() && shapes_ == shapes();
  }

  void find_rows() {
    calls_ = program_.calls().data();
    operations_ = program_.graph().operations.data();
    shapes_ = shapes();
    rows_.clear();
    for (int operation : program_.calls()) {
      const std::string node = node_text(program_, operation);
      const auto [found, fresh] =
          profile_.rows_.try_emplace(fmt::format("{}\n{}\n{}", name_, operation, node));
      if (fresh) {
        const Op op = program_.graph().operation(operation).op;
        found->second = {name_, name_of(op), node, 0, 0, cost_of(program_, operation)};
      }
      rows_.push_back(&found->second);
    }
    profile_.memory_[name_] = program_.plan().to_string();
  }

  Profile& profile_;
  const Program& program_;
  std::string name_;
  const int* calls_ = nullptr;
  const Graph::Operation* operations_ = nullptr;
  std::vector<Spec> shapes_;
  std::vector<Row*> rows_;
  Clock::time_point start_;
};

Profile::~Profile() = default;
Profile::Profile(std::size_t max_events) : max_events_(max_events) {}

ReplayObserver& Profile::of(const Program& program, const std::string& name) {
  auto& watch = watches_[{&program, name}];
  if (!watch) watch = std::make_unique<Watch>(*this, program, name);
  return *watch;
}

void Profile::record(Row& row, Clock::time_point start, Clock::time_point end) {
  const double seconds = std::chrono::duration<double>(end - start).count();
  ++row.calls;
  row.seconds += seconds;
  if (origin_ == Clock::time_point{}) origin_ = start;
  if (events_.size() < max_events_)
    events_.push_back({&row, std::chrono::duration<double>(start - origin_).count(), seconds});
  else
    ++dropped_events_;
}

std::vector<Profile::Row> Profile::rows() const {
  std::vector<Row> result;
  for (const auto& [key, row] : rows_)
    if (row.calls > 0) result.push_back(row);
  std::stable_sort(result.begin(), result.end(),
                   [](const Row& a, const Row& b) { return a.seconds > b.seconds; });
  return result;
}

std::string Profile::table() const {
  const std::vector<Row> all = rows();
  std::vector<Sum> operations;
  Sum total{"total"};
  for (const Row& row : all) {
    auto sum = std::find_if(operations.begin(), operations.end(),
                            [&](const Sum& s) { return s.name == row.operation; });
    if (sum == operations.end()) sum = operations.insert(sum, Sum{row.operation});
    sum->add(row);
    total.add(row);
  }
  if (all.empty()) return "no program ran\n";
  std::stable_sort(operations.begin(), operations.end(),
                   [](const Sum& a, const Sum& b) { return a.seconds > b.seconds; });
  std::string text = header("operation");
  for (const Sum& sum : operations) text += line(sum, total.seconds);
  text += line(total, total.seconds) + "\n" + header("node");
  for (std::size_t i = 0; i < std::min(all.size(), kNodesShown); ++i) {
    Sum sum{all[i].program + ": " + all[i].node};
    sum.add(all[i]);
    text += line(sum, total.seconds);
  }
  if (all.size() > kNodesShown) text += fmt::format("... and {} more\n", all.size() - kNodesShown);
  text += "\n";
  for (const auto& [name, plan] : memory_) text += name + ": " + plan + "\n";
  return text + fmt::format("peak memory of the process: {:.1f} MB\n", peak_megabytes());
}

std::string Profile::chrome_trace() const {
  std::string text = "{\"displayTimeUnit\":\"ns\",\"otherData\":{\"calls_left_out\":\"" +
                     std::to_string(dropped_events_) + "\"},\"traceEvents\":[";
  const char* separator = "\n";
  for (const Event& event : events_) {
    const Row& row = *event.row;
    text += fmt::format(
        "{}{{\"name\":{},\"cat\":{},\"ph\":\"X\",\"pid\":1,\"tid\":1,\"ts\":{:.3f},\"dur\":{:.3f},"
        "\"args\":{{\"node\":{},\"flop\":{},\"bytes\":{}}}}}",
        separator, quoted(row.operation), quoted(row.program), 1e6 * event.start,
        1e6 * event.seconds, quoted(row.node), row.cost.flops, row.cost.bytes);
    separator = ",\n";
  }
  return text + "\n]}\n";
}

}  // namespace milgrad
