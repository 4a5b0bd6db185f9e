// SPDX-License-Identifier: Apache-2.0
// Errors as values. A message says what was wrong with what and what is allowed; a handler that returns an error has
// changed nothing. Control path only: the data path has verdicts (verdict.h).
#pragma once
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>

namespace sluice {

using Status = absl::Status;
template <class T>
using StatusOr = absl::StatusOr<T>;

inline absl::string_view absl_view(std::string_view s) { return {s.data(), s.size()}; }

/// The message of a status, without its code. Empty when it is ok.
inline std::string text(const Status& status) {
  const auto message = status.message();
  return {message.data(), message.size()};
}

template <class... Args>
Status make_status(absl::StatusCode code, fmt::format_string<Args...> format, Args&&... args) {
  return {code, absl_view(fmt::format(format, std::forward<Args>(args)...))};
}
/// The request itself is wrong: a value out of range, an unknown word.
template <class... Args>
Status refused(fmt::format_string<Args...> format, Args&&... args) {
  return make_status(absl::StatusCode::kInvalidArgument, format, std::forward<Args>(args)...);
}
/// What the request names does not exist.
template <class... Args>
Status not_found(fmt::format_string<Args...> format, Args&&... args) {
  return make_status(absl::StatusCode::kNotFound, format, std::forward<Args>(args)...);
}
/// The name is taken by something different.
template <class... Args>
Status exists(fmt::format_string<Args...> format, Args&&... args) {
  return make_status(absl::StatusCode::kAlreadyExists, format, std::forward<Args>(args)...);
}
/// The state forbids it: in use, down, not supported by this driver.
template <class... Args>
Status failed_precondition(fmt::format_string<Args...> format, Args&&... args) {
  return make_status(absl::StatusCode::kFailedPrecondition, format, std::forward<Args>(args)...);
}
/// A table, pool or queue is full.
template <class... Args>
Status exhausted(fmt::format_string<Args...> format, Args&&... args) {
  return make_status(absl::StatusCode::kResourceExhausted, format, std::forward<Args>(args)...);
}
/// The kernel or another process said no; it may work later.
template <class... Args>
Status unavailable(fmt::format_string<Args...> format, Args&&... args) {
  return make_status(absl::StatusCode::kUnavailable, format, std::forward<Args>(args)...);
}
/// A privilege is missing.
template <class... Args>
Status not_permitted(fmt::format_string<Args...> format, Args&&... args) {
  return make_status(absl::StatusCode::kPermissionDenied, format, std::forward<Args>(args)...);
}

}  // namespace sluice
