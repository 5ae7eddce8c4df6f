// Headers that most tests include, compiled once.
#include "tensor/pch/common.h"

#include <doctest/doctest.h>
