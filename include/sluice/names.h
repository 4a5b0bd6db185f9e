// SPDX-License-Identifier: Apache-2.0
// Names of enumerators, at compile time: Next::Ip4Lookup is "ip4-lookup" in the graph, in counters and in the CLI.
#pragma once
#include <array>
#include <cstddef>
#include <string_view>
#include <type_traits>
#include <utility>

namespace sluice {

template <auto V>
consteval std::string_view raw_enum_name() {
  std::string_view s = __PRETTY_FUNCTION__;
  s = s.substr(s.find("V = ") + 4);
  s = s.substr(0, s.find_first_of(";]"));
  // A value without a name is written (TYPE)5 or 5. A name may have (anonymous namespace) or <(char)101> before it.
  const std::size_t cast = s.rfind(')');
  const std::string_view tail = cast == s.npos ? s : s.substr(cast + 1);
  const bool named = tail.find_first_not_of("0123456789") != tail.npos;
  return named ? s.substr(s.rfind(':') + 1) : std::string_view{};
}

/// How many enumerators E has; they count from zero without gaps.
template <class E, std::size_t N = 0>
consteval std::size_t enum_count() {
  // Looking for a name in it has the enumeration of a template defined, before which clang knows none of its names.
  static_assert(!requires { E::kNameThatNoEnumerationHas; });
  if constexpr (raw_enum_name<static_cast<E>(N)>().empty()) {
    return N;
  } else {
    return enum_count<E, N + 1>();
  }
}

/// "Ip4Lookup" -> "ip4-lookup".
struct Kebab {
  char text[48]{};
  std::size_t size = 0;
  consteval explicit Kebab(std::string_view name) {
    for (std::size_t i = 0; i < name.size(); ++i) {
      const char c = name[i];
      const bool upper = c >= 'A' && c <= 'Z';
      if (upper && i) text[size++] = '-';
      text[size++] = upper ? static_cast<char>(c - 'A' + 'a') : c;
    }
  }
  constexpr operator std::string_view() const { return {text, size}; }
};

template <auto V>
inline constexpr Kebab name_of{raw_enum_name<V>()};

/// The names of all enumerators of E, in their order.
template <class E>
constexpr auto names_of() {
  return []<std::size_t... I>(std::index_sequence<I...>) {
    return std::array<std::string_view, sizeof...(I)>{std::string_view(name_of<static_cast<E>(I)>)...};
  }(std::make_index_sequence<enum_count<E>()>{});
}

}  // namespace sluice
