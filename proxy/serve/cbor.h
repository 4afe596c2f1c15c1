// Objects in CBOR (RFC 8949), as Kubernetes components write them.
#pragma once

#include <boost/json/value.hpp>
#include <string>

namespace ipvsproxy::serve {

/// The value after the tag of self-described CBOR (section 3.4.6), in the form that apimachinery's
/// serializer has chosen: texts and keys are byte strings, the keys of a map are in the order of
/// their encoded bytes, every length and number is as short as it can be, except that a fraction
/// always has eight bytes.
std::string to_cbor(const boost::json::value& value);

} // namespace ipvsproxy::serve
