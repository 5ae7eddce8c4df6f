// The command line of mil: where options come from, what is refused and in which words, exit codes,
// and how the program behaves from outside.
#include "examples/mil/cli.h"
#include "examples/mil/console.h"
#include "examples/mil/errors.h"
#include "examples/mil/help.h"
#include "examples/mil/option_table.h"
#include "examples/mil/recall.h"
#include "examples/mil/report.h"
#include "examples/mil/signals.h"
#include "tensor/error.h"
#include "tests/support.h"

#include <cstdio>
#include <filesystem>
#include <iterator>
#include <new>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using Arguments = std::vector<std::string>;

template <class Options>
Options parse_as(const Arguments& arguments, const mil::Environment& environment = {}) {
  const mil::Invocation invocation = mil::parse(arguments, environment);
  REQUIRE(invocation.command);
  return std::get<Options>(*invocation.command);
}

/// "message | hint" of the error that the arguments lead to.
std::string refusal(const Arguments& arguments, const mil::Environment& environment = {}) {
  try {
    mil::parse(arguments, environment);
  } catch (const milgrad::Error& error) {
    return std::string(error.what()) + (error.hint().empty() ? "" : " | " + error.hint());
  }
  return "accepted";
}

/// The refusal of a configuration file, without the folder in front of its name.
std::string file_refusal(const std::string& toml, const Arguments& arguments = {"train"}) {
  const milgrad::test::TemporaryDirectory folder;
  milgrad::test::write_file(folder / "run.toml", toml);
  Arguments all = arguments;
  all.insert(all.end(), {"--config", (folder / "run.toml").string()});
  std::string text = refusal(all);
  const std::string prefix = folder.path().string() + "/";
  for (std::size_t at; (at = text.find(prefix)) != std::string::npos;) {
    text.erase(at, prefix.size());
  }
  return text;
}

milgrad::test::Outcome mil_program(
    Arguments arguments,
    std::vector<std::pair<std::string, std::optional<std::string>>> environment = {}) {
  arguments.insert(arguments.begin(), milgrad::test::program("mil").string());
  return milgrad::test::run(arguments, {.environment = std::move(environment)});
}

std::string read_stream(std::FILE* stream) {
  std::rewind(stream);
  std::string text;
  for (int letter; (letter = std::fgetc(stream)) != EOF;) text += static_cast<char>(letter);
  return text;
}

/// A console on two temporary files.
struct CapturedConsole {
  std::FILE* results = std::tmpfile();
  std::FILE* messages = std::tmpfile();
  ~CapturedConsole() {
    std::fclose(results);
    std::fclose(messages);
  }
  mil::Console console(mil::ConsoleSettings settings) {
    settings.results = results;
    settings.messages = messages;
    return mil::Console(settings);
  }
};

}  // namespace

TEST_CASE("mil cli: the defaults are the constants of the Keras example") {
  const auto train = parse_as<mil::TrainOptions>({"train"});
  CHECK(train.dataset.dataset == "mnist");
  CHECK(train.bags.positive_class == 1);
  CHECK(train.bags.bag_size == 3);
  CHECK(train.bags.train_bags == 1000);
  CHECK(train.bags.validation_bags == 300);
  CHECK(train.bags.test_bags == 3000);
  CHECK(train.plot_size == 3);
  CHECK(train.fit.ensemble == 1);
  CHECK(train.fit.epochs == 20);
  CHECK(train.fit.batch_size == 1);
  CHECK(train.fit.learning_rate == 1e-3);
  CHECK(train.fit.patience == 10);
  CHECK(train.fit.early_stopping);
  CHECK(train.fit.class_weight);
  CHECK(train.model.gated);
  CHECK(train.model.attention_dim == 256);
  CHECK(train.model.dense == std::vector<std::int64_t>{128, 64});
  CHECK(train.model.l2 == 0.01);
}

TEST_CASE("mil cli: flag over environment over section over top level over default") {
  const milgrad::test::TemporaryDirectory folder;
  const std::string file = (folder / "run.toml").string();
  milgrad::test::write_file(file,
                            "epochs = 1\npatience = 1\nbag_size = 4\nensemble = 2\n"
                            "[train]\nepochs = 2\npatience = 2\nbag_size = 5\n"
                            "[predict]\nbag_size = 6\n");
  const auto train = parse_as<mil::TrainOptions>(
      {"train", "--epochs", "4"},
      {{"MIL_CONFIG", file}, {"MIL_EPOCHS", "3"}, {"MIL_PATIENCE", "3"}, {"MIL_SEED", ""}});
  CHECK(train.fit.epochs == 4);
  CHECK(train.fit.patience == 3);
  CHECK(train.bags.bag_size == 5);
  CHECK(train.fit.ensemble == 2);
  CHECK(train.fit.batch_size == 1);
  const mil::Origins& origins = train.common.origins;
  CHECK(origins.at("epochs").place == "--epochs");
  CHECK(origins.at("patience").place == "MIL_PATIENCE");
  CHECK(origins.at("bag-size").place == file + ":8:12");
  CHECK(origins.at("ensemble").place == file + ":4:12");
  CHECK_FALSE(origins.contains("batch-size"));
  CHECK_FALSE(origins.contains("seed"));
  const auto predict = parse_as<mil::PredictOptions>({"predict", "w.h5", "--config", file});
  CHECK(predict.bags.bag_size == 6);
  CHECK(predict.weights == "w.h5");
}

TEST_CASE("mil cli: every type of option from flags, variables and files") {
  const milgrad::test::TemporaryDirectory folder;
  const std::string file = (folder / "run.toml").string();
  milgrad::test::write_file(file,
                            "dense = [32, 16]\ngated = false\nl2 = 0\nlearning_rate = 0.5\n"
                            "dataset = \"fashion-mnist\"\nout = \"here\"\n");
  const auto check = [](const mil::TrainOptions& train) {
    CHECK(train.model.dense == std::vector<std::int64_t>{32, 16});
    CHECK_FALSE(train.model.gated);
    CHECK(train.model.l2 == 0);
    CHECK(train.fit.learning_rate == 0.5);
    CHECK(train.dataset.dataset == "fashion-mnist");
    CHECK(train.out == "here");
  };
  check(parse_as<mil::TrainOptions>({"train", "--config", file}));
  check(parse_as<mil::TrainOptions>({"train"}, {{"MIL_DENSE", "32,16"},
                                                {"MIL_GATED", "0"},
                                                {"MIL_L2", "0"},
                                                {"MIL_LEARNING_RATE", "5e-1"},
                                                {"MIL_DATASET", "fashion-mnist"},
                                                {"MIL_OUT", "here"}}));
  check(parse_as<mil::TrainOptions>({"train", "--dense=32,16", "--no-gated", "--l2", "0",
                                     "--learning-rate", ".5", "--dataset", "fashion-mnist", "--out",
                                     "here"}));
  CHECK(parse_as<mil::FetchOptions>({"data", "fetch", "fashion-mnist"}).dataset.dataset ==
        "fashion-mnist");
  CHECK(parse_as<mil::InfoOptions>({"info", "-v"}).common.verbose);
}

TEST_CASE("mil cli: a flag given twice counts as given last") {
  CHECK(parse_as<mil::TrainOptions>({"train", "--epochs", "3", "--epochs", "4"}).fit.epochs == 4);
  CHECK(parse_as<mil::TrainOptions>({"train", "--no-gated", "--gated"}).model.gated);
}

TEST_CASE("mil cli: values that do not fit are refused with what is allowed") {
  CHECK(refusal({"train", "--epochs", "0"}) ==
        "--epochs: bad value; expected a whole number from 1 to 1000000, found 0");
  CHECK(refusal({"train", "--epochs", "ten"}) ==
        "--epochs: bad value; expected a whole number from 1 to 1000000, found \"ten\"");
  CHECK(refusal({"train", "--epochs", "99999999999999999999"}) ==
        "--epochs: bad value; expected a whole number from 1 to 1000000, found "
        "\"99999999999999999999\"");
  CHECK(refusal({"train", "--seed", "-1"}) ==
        "--seed: bad value; expected a whole number from 0 to 9223372036854775807, found -1");
  CHECK(refusal({"train", "--learning-rate", "0"}) ==
        "--learning-rate: bad value; expected a number above 0, at most 1e+30, found 0.0");
  CHECK(refusal({"train", "--l2", "nan"}) ==
        "--l2: bad value; expected a number from 0 to 1e+30, found \"nan\"");
  CHECK(refusal({"train", "--dense", "128,,64"}) ==
        "--dense: bad value; expected 1 to 8 whole numbers from 1 to 65536, found \"128,,64\"");
  CHECK(refusal({"train", "--dense", "128,0"}) ==
        "--dense: bad value; expected 1 to 8 whole numbers from 1 to 65536, found [128,0]");
  CHECK(refusal({"train", "--gated=maybe"}) ==
        "--gated: bad value; expected true or false, found \"maybe\"");
  CHECK(refusal({"train", "--dataset", "minst"}) ==
        "--dataset: bad value; expected mnist or fashion-mnist, found \"minst\" | "
        "did you mean mnist?");
  CHECK(refusal({"data", "fetch", "--mirror", "ftp://x"}) ==
        "--mirror: bad value; expected an address that begins with https:// or http://, found "
        "\"ftp://x\"");
  CHECK(refusal({"train", "--out", "\xff"}) == "accepted");
  CHECK(refusal({"train"}, {{"MIL_BAG_SIZE", "0"}}) ==
        "MIL_BAG_SIZE: bad value; expected a whole number from 1 to 10000, found 0");
  CHECK(refusal({"train"}, {{"MIL_GATED", "yes"}}) ==
        "MIL_GATED: bad value; expected true or false, found \"yes\"");
}

TEST_CASE("mil cli: whatever stands in an option, it is taken or refused with words") {
  const std::vector<std::string> texts = {"",         "x",
                                          "-1",       "1e999",
                                          "nan",      "99999999999999999999",
                                          "\xff\xfe", "\u6f22\u5b57",
                                          "a\nb",     "--",
                                          "[1,",      std::string(10'000, '9')};
  int refused = 0;
  const auto attempt = [&](const Arguments& arguments, const mil::Environment& environment) {
    try {
      mil::parse(arguments, environment);
    } catch (const milgrad::Error& error) {
      CHECK(std::string(error.what()) != "");
      ++refused;
    }
  };
  std::set<std::string> seen;
  for (mil::Command& command : mil::every_command()) {
    std::istringstream words{std::string(mil::describe(command).name)};
    const Arguments name{std::istream_iterator<std::string>(words), {}};
    for (const mil::Option& option : mil::options_of(command)) {
      if (!seen.insert(option.name).second) continue;
      for (const std::string& text : texts) {
        Arguments given = name;
        given.push_back(mil::flag_name(option) + "=" + text);
        attempt(given, {});
        attempt(name, {{mil::environment_name(option), text}});
      }
    }
  }
  CHECK(refused > 300);
}

TEST_CASE("mil cli: missing values are named") {
  CHECK(refusal({"train", "--epochs"}) ==
        "--epochs: no value; expected a whole number from 1 to 1000000, found nothing");
  CHECK(refusal({"predict", "--weights"}) == "--weights: no value; expected a path, found nothing");
  CHECK(refusal({"train", "--out", "--gated"}) ==
        "--out: no value; expected a folder, found the next flag, --gated");
  CHECK(refusal({"predict"}) ==
        "mil predict: --weights is missing; expected a weights file, or the folder of a run, "
        "found nothing | for example mil predict runs/first --out predictions.csv");
}

TEST_CASE("mil cli: unknown names are refused with the nearest one") {
  CHECK(refusal({"train", "--epoch", "5"}) ==
        "mil train: unknown flag; expected one of mil train --help, found --epoch | "
        "did you mean --epochs?");
  CHECK(refusal({"train", "--no-gatde"}) ==
        "mil train: unknown flag; expected one of mil train --help, found --no-gatde | "
        "did you mean --no-gated?");
  CHECK(refusal({"info", "--epochs=3"}) ==
        "mil info: unknown flag; expected one of mil info --help, found --epochs=3 | "
        "see mil info --help");
  CHECK(refusal({"train", "x"}) ==
        "mil train: unexpected argument; expected a flag, found x | see mil train --help");
  CHECK(refusal({"trian"}) ==
        "mil: unknown command; expected train, predict, evaluate, plot, summary, data, info, "
        "found trian | did you mean mil train?");
  CHECK(refusal({"data", "fetc"}) ==
        "mil data: unknown command; expected fetch, inspect, found fetc | "
        "did you mean mil data fetch?");
  CHECK(refusal({"data"}) ==
        "mil data: no command; expected fetch, inspect, found nothing | see mil data --help");
  CHECK(refusal({}) ==
        "mil: no command; expected train, predict, evaluate, plot, summary, data, info, found "
        "nothing | see mil --help");
  CHECK(refusal({"--vresion"}) ==
        "mil: unknown flag; expected one of mil --help, found --vresion | "
        "did you mean --version?");
}

TEST_CASE("mil cli: options that exclude each other") {
  CHECK(refusal({"predict", "w.h5", "--data", "d", "--dataset", "mnist"}) ==
        "--data and --dataset exclude each other; expected one, found both");
  CHECK(refusal({"info", "-q", "-v"}) ==
        "--quiet and --verbose exclude each other; expected one, found both");
  CHECK(refusal({"train", "--profile", "--run-eagerly"}) ==
        "--profile and --run-eagerly exclude each other; expected one, found both | "
        "a profile is one of programs, without which --run-eagerly computes");
  const auto from_flag = parse_as<mil::PredictOptions>(
      {"predict", "w.h5", "--dataset", "fashion-mnist"}, {{"MIL_DATA", "bags"}});
  CHECK(from_flag.data == "");
  CHECK(from_flag.dataset.dataset == "fashion-mnist");
  const auto from_variable = parse_as<mil::PredictOptions>({"predict", "w.h5", "--data", "bags"},
                                                           {{"MIL_DATASET", "fashion-mnist"}});
  CHECK(from_variable.data == "bags");
  CHECK(from_variable.dataset.dataset == "mnist");
}

TEST_CASE("mil cli: a mistyped variable is a warning") {
  const mil::Invocation invocation =
      mil::parse({"info"}, {{"MIL_EPOCH", "5"}, {"MIL_SOMETHING_ELSE", "5"}, {"MILK", "1"}});
  CHECK(invocation.warnings ==
        std::vector<std::string>{
            "the variable MIL_EPOCH is not known and not used; did you mean MIL_EPOCHS?"});
}

TEST_CASE("mil cli: configuration files are checked as a whole, with places") {
  CHECK(file_refusal("epochs = 0\n") ==
        "run.toml:1:10: bad value for epochs; expected a whole number from 1 to 1000000, found 0");
  CHECK(file_refusal("# one\n[train]\n  epochs = \"ten\"\n") ==
        "run.toml:3:12: bad value for epochs; expected a whole number from 1 to 1000000, found "
        "\"ten\"");
  CHECK(file_refusal("epochs = 1.5\n") ==
        "run.toml:1:10: bad value for epochs; expected a whole number from 1 to 1000000, found "
        "1.5");
  CHECK(file_refusal("gated = 1\n") ==
        "run.toml:1:9: bad value for gated; expected true or false, found 1");
  CHECK(file_refusal("dense = [128, \"a\"]\n") ==
        "run.toml:1:9: bad value for dense; expected 1 to 8 whole numbers from 1 to 65536, found "
        "[128,\"a\"]");
  CHECK(file_refusal("out = 2020-01-01\n") ==
        "run.toml:1:7: bad value for out; expected a folder, found a date or time");
  CHECK(file_refusal("dataset = \"minst\"\n") ==
        "run.toml:1:11: bad value for dataset; expected mnist or fashion-mnist, found \"minst\" | "
        "did you mean mnist?");
  CHECK(file_refusal("\nepocs = 5\n") ==
        "run.toml:2:1: unknown key; expected a flag's name with _ for -, found epocs | "
        "did you mean epochs?");
  CHECK(file_refusal("train-bags = 5\n") ==
        "run.toml:1:1: unknown key; expected a flag's name with _ for -, found train-bags | "
        "did you mean train_bags?");
  CHECK(file_refusal("config = \"other.toml\"\n") ==
        "run.toml:1:1: unknown key; expected a flag's name with _ for -, found config");
  CHECK(file_refusal("[predict]\nepochs = 5\n") ==
        "run.toml:2:1: unknown key in section [predict]; expected a flag's name with _ for -, "
        "found epochs");
  CHECK(file_refusal("[trian]\n") ==
        "run.toml:1:1: unknown section; expected the name of a command, found [trian] | "
        "did you mean train?");
  CHECK(file_refusal("[data]\ndataset = \"mnist\"\n") ==
        "run.toml:2:1: unknown key in section [data]; expected a flag's name with _ for -, found "
        "dataset");
  CHECK(file_refusal("[data.fetch]\nmirror = \"https://example.org/\"\n") == "accepted");
  CHECK(file_refusal("epochs = \n").starts_with("run.toml:1:10: not TOML; "));
  CHECK(file_refusal("epochs = 1\nepochs = 2\n").starts_with("run.toml:2:"));
  CHECK(file_refusal(std::string((1 << 20) + 1, '\n')) ==
        "run.toml: too large for a configuration; expected at most 1048576 bytes, found 1048577");
  CHECK(refusal({"train", "--config", "no/such.toml"}) == "no/such.toml: no such file");
  CHECK(refusal({"train", "--config", "/"}) == "/: is a folder; expected a file");
}

TEST_CASE(
    "mil cli: a configuration file that breaks off anywhere is taken or refused with its place") {
  const std::string whole =
      "# a run\nepochs = 3\ndense = [32, 16]\n[train]\nl2 = 0.5\nout = \"a\\u0041\"\n"
      "[data.fetch]\nmirror = 'https://example.org/'\n";
  CHECK(file_refusal(whole) == "accepted");
  for (std::size_t length = 0; length < whole.size(); ++length) {
    const std::string text = file_refusal(whole.substr(0, length));
    CAPTURE(length);
    CHECK((text == "accepted" || text.starts_with("run.toml:")));
  }
}

TEST_CASE("mil cli: the configuration holds every option and comes back from the weights") {
  const mil::Command trained = parse_as<mil::TrainOptions>(
      {"train", "--no-gated", "--dense", "32,16", "--seed", "7", "--l2", "0", "--threads", "1"});
  const nlohmann::json saved = mil::configuration(trained);
  CHECK(saved["gated"] == false);
  CHECK(saved["dense"] == nlohmann::json{32, 16});
  CHECK(saved["epochs"] == 20);
  CHECK(saved["learning_rate"] == 1e-3);
  CHECK_FALSE(saved.contains("config"));

  mil::Command predict = parse_as<mil::PredictOptions>(
      {"predict", "w.h5", "--seed", "8", "--dense", "32,16", "--threads", "2"});
  mil::recall(predict, saved, "w.h5");
  const auto& options = std::get<mil::PredictOptions>(predict);
  CHECK_FALSE(options.model.gated);
  CHECK(options.model.l2 == 0);
  CHECK(options.compute.seed == 8);
  CHECK(options.compute.threads == 2);
  CHECK(options.bags.test_bags == 3000);
}

TEST_CASE("mil cli: flags that disagree with the weights are refused") {
  const nlohmann::json saved = mil::configuration(mil::TrainOptions{});
  const auto refusal_of = [&](const mil::PredictOptions& options, const nlohmann::json& values) {
    mil::Command command = options;
    try {
      mil::recall(command, values, "w.h5");
    } catch (const milgrad::Error& error) {
      return std::string(error.what()) + " | " + error.hint();
    }
    return std::string("accepted");
  };
  CHECK(refusal_of(parse_as<mil::PredictOptions>({"predict", "w.h5", "--attention-dim", "64"}),
                   saved) ==
        "--attention-dim: the model of w.h5 differs; expected 256, found 64 | leave attention-dim "
        "out: the weights know their model");
  CHECK(
      refusal_of(parse_as<mil::PredictOptions>({"predict", "w.h5"}, {{"MIL_GATED", "0"}}), saved) ==
      "MIL_GATED: the model of w.h5 differs; expected true, found false | leave gated out: the "
      "weights know their model");
  CHECK(refusal_of(parse_as<mil::PredictOptions>({"predict", "w.h5", "--no-gated"}), saved)
            .starts_with("--no-gated: the model of w.h5 differs; expected true, found false"));
  nlohmann::json broken = saved;
  broken["dense"] = "many";
  CHECK(refusal_of(parse_as<mil::PredictOptions>({"predict", "w.h5"}), broken) ==
        "w.h5: bad saved value for dense; expected 1 to 8 whole numbers from 1 to 65536, found "
        "\"many\" | ");
}

TEST_CASE("mil cli: help names every option of every command and fits a screen's width") {
  for (mil::Command& command : mil::every_command()) {
    const std::string help = mil::command_help(command);
    CAPTURE(help);
    CHECK(help.find("Examples:") < help.find("Usage:"));
    for (const mil::Option& option : mil::options_of(command)) {
      const bool is_switch = std::holds_alternative<mil::Switch>(option.value);
      const std::string name = is_switch ? "--[no-]" + option.name : mil::flag_name(option);
      CHECK(help.find(name) != std::string::npos);
      CHECK_FALSE(option.help.empty());
    }
    std::size_t begin = 0;
    for (std::size_t end; (end = help.find('\n', begin)) != std::string::npos; begin = end + 1) {
      CHECK(end - begin <= 100);
    }
  }
  CHECK(mil::parse({"train", "--help"}, {}).text == mil::command_help(mil::TrainOptions{}));
  CHECK(mil::parse({"data", "fetch", "-h"}, {}).text == mil::command_help(mil::FetchOptions{}));
  CHECK(mil::parse({"data", "--help"}, {}).text == mil::group_help("data"));
  CHECK(mil::parse({"--help"}, {}).text == mil::program_help());
}

TEST_CASE("mil report: each exception has its exit code") {
  const auto code = [](const std::exception& error) {
    return static_cast<int>(mil::diagnose(error, {}).code);
  };
  using milgrad::WriteError;
  CHECK(code(milgrad::NonFiniteError("loss")) == 1);
  CHECK(code(mil::UsageError("flag")) == 2);
  CHECK(code(milgrad::ValueError("There is no class 12")) == 2);
  CHECK(code(milgrad::FormatError({"f", 2, 3}, "bad")) == 65);
  CHECK(code(milgrad::NotFoundError("f", "no such file")) == 66);
  CHECK(code(milgrad::ShapeError("bug")) == 70);
  CHECK(code(milgrad::DTypeError("bug")) == 70);
  CHECK(code(milgrad::GradientError("bug")) == 70);
  CHECK(code(milgrad::TraceError("bug")) == 70);
  CHECK(code(std::logic_error("bug")) == 70);
  CHECK(code(std::bad_alloc()) == 71);
  CHECK(code(WriteError(WriteError::Kind::cannot_create, "f", "denied")) == 73);
  CHECK(code(WriteError(WriteError::Kind::io_error, "f", "full")) == 74);
}

TEST_CASE("mil report: an internal error tells version, seed and the command") {
  const mil::Diagnostic diagnostic =
      mil::diagnose(std::logic_error("boom"), {{"train", "--out", "it's here", "--seed", "7"}, 7});
  CHECK(diagnostic.message == "internal error: boom");
  CHECK(diagnostic.hints ==
        std::vector<std::string>{
            "this is a bug of " + mil::version_text() + "; please report it with this message",
            "seed 7; to reproduce: mil train --out 'it'\\''s here' --seed 7"});
}

TEST_CASE("mil console: errors as text and as JSON") {
  const mil::Diagnostic diagnostic =
      mil::diagnose(milgrad::FormatError({"a\x1b.toml", 2, 3}, "bad", "mend it"), {});
  CapturedConsole text;
  text.console({}).error(diagnostic);
  CHECK(read_stream(text.messages) == "mil: error: a\\x1b.toml:2:3: bad\nhint: mend it\n");
  CapturedConsole json;
  json.console({.json = true}).error(diagnostic);
  CHECK(nlohmann::json::parse(read_stream(json.messages)) ==
        nlohmann::json{{"error",
                        {{"exit_code", 65},
                         {"message", "a\x1b.toml:2:3: bad"},
                         {"file", "a\x1b.toml"},
                         {"row", 2},
                         {"column", 3},
                         {"hints", {"mend it"}}}}});
  CHECK(read_stream(json.results) == "");
}

TEST_CASE("mil console: results, messages and progress go where they belong") {
  const auto talk = [](mil::Console console) {
    console.print("result");
    console.progress("1/2");
    console.message("message");
    console.detail("detail");
    console.warning("care");
    console.result({{"a", 1}});
    console.flush();
  };
  CapturedConsole plain;
  talk(plain.console({}));
  CHECK(read_stream(plain.results) == "result\n");
  CHECK(read_stream(plain.messages) == "message\nmil: warning: care\n");
  CapturedConsole json;
  talk(json.console({.json = true, .verbose = true}));
  CHECK(read_stream(json.results) == "{\"a\":1}\n");
  CHECK(read_stream(json.messages) == "result\nmessage\ndetail\nmil: warning: care\n");
  CapturedConsole quiet;
  talk(quiet.console({.quiet = true, .animate = true}));
  CHECK(read_stream(quiet.results) == "result\n");
  CHECK(read_stream(quiet.messages) == "mil: warning: care\n");
  CapturedConsole terminal;
  talk(terminal.console({.colour = true, .animate = true}));
  CHECK(read_stream(terminal.messages) ==
        "\r\x1b[K1/2\r\x1b[Kmessage\nmil: \x1b[1;33mwarning:\x1b[0m care\n");
}

TEST_CASE("mil signals: the first asks training to stop, the second ends at once") {
  for (const int signal : {SIGINT, SIGTERM}) {
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      mil::catch_stop_signals();
      if (mil::stop_signal() != 0) _exit(1);
      raise(signal);
      if (mil::stop_signal() != signal) _exit(2);
      raise(signal);
      _exit(3);
    }
    int status = 0;
    waitpid(child, &status, 0);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 128 + signal);
  }
}

TEST_CASE("mil program: version, help and errors from outside") {
  const auto version = mil_program({"--version"});
  CHECK(version.exit_code == 0);
  CHECK(version.out == mil::version_text() + "\n");
  CHECK(version.err == "");
  const auto help = mil_program({"train", "--help"});
  CHECK(help.exit_code == 0);
  CHECK(help.out == mil::command_help(mil::TrainOptions{}));
  const auto unknown = mil_program({"train", "--epoch", "3"});
  CHECK(unknown.exit_code == 2);
  CHECK(unknown.out == "");
  CHECK(unknown.err ==
        "mil: error: mil train: unknown flag; expected one of mil train --help, found --epoch\n"
        "hint: did you mean --epochs?\n");
  CHECK(mil_program({"info", "--config", "no/such.toml"}).exit_code == 66);
  const auto json = mil_program({"info", "--config", "no/such.toml"}, {{"MIL_JSON", "1"}});
  CHECK(json.exit_code == 66);
  CHECK(nlohmann::json::parse(json.err)["error"]["file"] == "no/such.toml");
}

TEST_CASE("mil program: info shows the machine, as text and as JSON") {
  const auto text = mil_program({"info"}, {{"OPENBLAS_CORETYPE", std::nullopt}});
  CHECK(text.exit_code == 0);
  CHECK(text.err == "");
  for (const char* name : {"mil ", "compiler ", "cpu ", "cuda ", "processor ", "features ",
                           "threads ", "SIMD target ", "OpenBLAS ", "HDF5 "}) {
    CHECK(("\n" + text.out).find("\n" + std::string(name)) != std::string::npos);
  }
  CHECK(text.out.find('\x1b') == std::string::npos);
  const auto info = mil_program({"info", "--json"}, {{"OPENBLAS_CORETYPE", "Haswell"}});
  CHECK(info.exit_code == 0);
  const nlohmann::json facts = nlohmann::json::parse(info.out);
  CHECK(facts["backends"]["cpu"]["available"] == true);
  CHECK(facts["openblas"]["coretype_variable"] == "Haswell");
  const auto features = facts["cpu"]["features"].get<std::vector<std::string>>();
  const bool avx512 = std::find(features.begin(), features.end(), "avx512f") != features.end();
  CHECK(facts["warnings"].size() == (avx512 ? 1 : 0));
  if (avx512) {
    CHECK(facts["openblas"]["core"] == "Haswell");
    CHECK(info.err ==
          "mil: warning: this processor has AVX-512, but OPENBLAS_CORETYPE=Haswell makes OpenBLAS "
          "use its Haswell core; unset it for faster matrix products\n");
  }
}

TEST_CASE("mil program: a full output is an error, a closed one ends quietly") {
  const std::string mil = milgrad::test::program("mil").string();
  const auto full = milgrad::test::run({"sh", "-c", "\"$0\" info > /dev/full", mil});
  CHECK(full.exit_code == 74);
  CHECK(full.err ==
        "mil: error: standard output: not everything was written; expected room, found: No space "
        "left on device\n");
  const auto closed =
      milgrad::test::run({"bash", "-c", "{ sleep 0.2; \"$0\" info; echo $? >&2; } | true", mil});
  CHECK(closed.err == "141\n");
}
