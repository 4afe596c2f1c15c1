// An error code with the words for it.
#pragma once

#include <boost/system/system_error.hpp>
#include <string>
#include <utility>

namespace ipvsproxy::https {

/// Why something could not be had from a server: `connecting to 10.96.0.1:443: Connection refused`.
/// Boost's own text of a code also names places in the sources of Asio.
class Failure : public boost::system::system_error {
public:
    Failure(boost::system::error_code code, std::string text)
        : system_error{code}, text_{std::move(text)} {}
    /// The same failure, with what was being done before its text.
    static Failure of(const std::string& doing, const boost::system::system_error& error) {
        const auto* const told = dynamic_cast<const Failure*>(&error);
        return {error.code(),
                doing + ": " + (told != nullptr ? told->text_ : error.code().message())};
    }
    const char* what() const noexcept override { return text_.c_str(); }

private:
    std::string text_;
};

} // namespace ipvsproxy::https
