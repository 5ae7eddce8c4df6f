// The figure of a training run: loss and accuracy over epochs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace mil {

/// What a run recorded, one value per epoch; a series that was not recorded stays empty. Values
/// that are not finite, or beyond 1e100, leave a gap.
struct TrainingCurves {
  std::string title = {};
  std::vector<int> epochs = {};  ///< increasing, as they are to be called on the axis
  std::vector<double> loss = {};
  std::vector<double> val_loss = {};
  std::vector<double> accuracy = {};      ///< fractions, 0 to 1
  std::vector<double> val_accuracy = {};  ///< fractions, 0 to 1
  std::optional<int> best_epoch = {};     ///< whose weights were kept
  std::optional<int> stopped_epoch = {};  ///< after which early stopping ended the run
};

/// The PNG file: loss (logarithmic where it spans more than 1.5 decades) and accuracy side by
/// side, training and validation, with the best and the stopping epoch marked. Without an epoch
/// it says so in words. ValueError where counts differ or an epoch does not exist.
std::vector<std::uint8_t> render_curves(const TrainingCurves& curves);

}  // namespace mil
