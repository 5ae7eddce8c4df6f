// Headers that most files of the program include, compiled once.
#include "tensor/pch/common.h"

#include <fmt/ranges.h>
#include <nlohmann/json.hpp>
