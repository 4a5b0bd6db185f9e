// SPDX-License-Identifier: Apache-2.0
#include "control/http_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace sluice::http {
namespace {

constexpr std::string_view kPath = "/metrics";

bool is_token(std::string_view word) {
  // RFC 9110 section 5.6.2.
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !word.empty() && std::all_of(word.begin(), word.end(), [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || kMarks.find(c) != kMarks.npos;
  });
}

bool is_field_value(std::string_view value) {
  return std::none_of(value.begin(), value.end(), [](unsigned char c) { return (c < ' ' && c != '\t') || c == 0x7f; });
}

bool same_letters(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](char x, char y) { return lower(x) == lower(y); });
}

/// The next line without its end, which is taken from text too; none while the end is missing. RFC 9112 section 2.2
/// lets a line end in LF alone.
std::optional<std::string_view> take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  if (end == text.npos) return std::nullopt;
  std::string_view line = text.substr(0, end);
  if (line.ends_with('\r')) line.remove_suffix(1);
  text.remove_prefix(end + 1);
  return line;
}

/// The path of an origin-form or absolute-form target (RFC 9112 section 3.2), without its query; empty for others.
std::string_view path_of(std::string_view target) {
  if (target.size() > 7 && same_letters(target.substr(0, 7), "http://")) {
    target.remove_prefix(std::min(target.find('/', 7), target.size()));
  }
  if (!target.starts_with('/')) return {};
  return target.substr(0, target.find('?'));
}

struct RequestLine {
  std::string_view method, target, version;
};

std::optional<RequestLine> split(std::string_view line) {
  const std::size_t first = line.find(' '), last = line.rfind(' ');
  if (first == line.npos || first == last) return std::nullopt;
  const RequestLine parts{line.substr(0, first), line.substr(first + 1, last - first - 1), line.substr(last + 1)};
  const bool printable =
      std::all_of(parts.target.begin(), parts.target.end(), [](char c) { return c > ' ' && c < 0x7f; });
  if (!is_token(parts.method) || parts.target.empty() || !printable) return std::nullopt;
  return parts;
}

int status_of(const RequestLine& line) {
  if (line.method != "GET" && line.method != "HEAD") return 405;
  return path_of(line.target) == kPath ? 200 : 404;
}

/// 400 for a field that is none; else whether it is Host, which an HTTP/1.1 request has once (RFC 9112 section 3.2).
int read_field(std::string_view line, int& hosts) {
  const std::size_t colon = line.find(':');
  if (colon == line.npos || !is_token(line.substr(0, colon)) || !is_field_value(line.substr(colon + 1))) return 400;
  hosts += same_letters(line.substr(0, colon), "host") ? 1 : 0;
  return 0;
}

std::string_view reason_of(int status) {
  switch (status) {
    case 200: return "OK";
    case 400: return "Bad Request";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 431: return "Request Header Fields Too Large";
    case 503: return "Service Unavailable";
    case 505: return "HTTP Version Not Supported";
    default: return "Error";
  }
}

}  // namespace

Request read_request(std::string_view bytes) {
  const int more = bytes.size() >= kHeadMax ? 431 : 0;
  std::string_view rest = bytes;
  auto first = take_line(rest);
  if (first && first->empty()) first = take_line(rest);  // RFC 9112 section 2.2: one empty line before is ignored
  if (!first) return {more};
  const auto line = split(*first);
  if (!line) return {400};
  const bool is_11 = line->version == "HTTP/1.1";
  if (!is_11 && line->version != "HTTP/1.0") return {line->version.starts_with("HTTP/") ? 505 : 400};
  int hosts = 0;
  for (;;) {
    const auto field = take_line(rest);
    if (!field) return {more};
    if (field->empty()) break;
    if (const int bad = read_field(*field, hosts)) return {bad};
  }
  if (hosts > 1 || (is_11 && hosts == 0)) return {400};
  return {status_of(*line), line->method == "HEAD"};
}

std::string response_head(int status, std::string_view content_type, std::size_t length) {
  return fmt::format("HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n{}\r\n", status,
                     reason_of(status), content_type, length, status == 405 ? "Allow: GET, HEAD\r\n" : "");
}

std::string error_response(const Request& request) {
  const std::string text =
      request.status == 404 ? "metrics are at /metrics\n" : fmt::format("{}\n", reason_of(request.status));
  std::string answer = response_head(request.status, "text/plain; charset=utf-8", text.size());
  if (!request.head_only) answer += text;
  return answer;
}

}  // namespace sluice::http
