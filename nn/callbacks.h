// All callbacks.
#pragma once

#include "nn/callbacks/csv_logger.h"        // IWYU pragma: export
#include "nn/callbacks/early_stopping.h"    // IWYU pragma: export
#include "nn/callbacks/lambda_callback.h"   // IWYU pragma: export
#include "nn/callbacks/model_checkpoint.h"  // IWYU pragma: export
#include "nn/callbacks/progbar_logger.h"    // IWYU pragma: export
#include "nn/callbacks/terminate_on_nan.h"  // IWYU pragma: export
