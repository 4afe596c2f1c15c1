// The values of flags, read as the packages read them that Kubernetes' programs have their flags
// from: spf13/pflag, and component-base and pkg/util/flag of Kubernetes.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/config/configuration.h"

namespace ipvsproxy::config {

// Each reads `text` into `field`. @return why it is no such value, in the words of those packages
// and of Go's (`strconv.ParseBool: parsing "maybe": invalid syntax`); empty when it is one. What a
// refused text leaves in the field is of no use.

/// Any text at all.
std::string read(std::string_view text, std::string& field);
/// strconv.ParseBool.
std::string read(std::string_view text, bool& field);
/// strconv.ParseInt in base 0: 14, 0x0e, 0b1110, 0o16, 016, 1_000.
std::string read(std::string_view text, std::int32_t& field);
/// strconv.ParseFloat; infinities are refused, since none makes sense.
std::string read(std::string_view text, float& field);
/// time.ParseDuration.
std::string read(std::string_view text, Duration& field);
/// Bytes: resource.ParseQuantity, of whole numbers.
std::string read(std::string_view text, std::uint64_t& bytes);
/// Adds the values of a line of CSV (encoding/csv): between commas, in double quotes if need be.
std::string read(std::string_view text, std::vector<std::string>& list);
/// Adds `A=true,B=false`; blanks and empty pairs are of no account.
std::string read(std::string_view text, std::map<std::string, bool>& gates);
/// A verbosity, of 31 bits in decimal digits.
std::string read_level(std::string_view text, std::uint32_t& field);
/// Adds `pattern=N,pattern=N`.
std::string read_vmodule(std::string_view text, std::vector<VmoduleItem>& items);
/// An address; an empty text leaves the field as it is, as the next one does.
std::string read_ip(std::string_view text, std::string& field);
/// An address, with or without a port.
std::string read_ip_port(std::string_view text, std::string& field);
/// What --version may say: a truth, or `raw`.
std::string read_version(std::string_view text);

} // namespace ipvsproxy::config
