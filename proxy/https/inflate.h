// gzip, decoded as it comes (RFC 1952).
#pragma once

#include <memory>
#include <string>
#include <string_view>

struct z_stream_s;

namespace ipvsproxy::https {

/// Takes the bytes of a gzip stream piece by piece. Members that follow one another are one text.
class Inflater {
public:
    Inflater();
    Inflater(Inflater&&) noexcept;
    Inflater& operator=(Inflater&&) noexcept;
    ~Inflater();

    /// Appends to `out` what `piece` unpacks to.
    /// @throws std::runtime_error when it is no gzip, or damaged.
    void feed(std::string_view piece, std::string& out);
    /// Whether the stream may end here: after a whole member, checked against its sum.
    bool whole() const noexcept { return whole_; }

private:
    std::unique_ptr<z_stream_s> state_;
    bool whole_{};
};

} // namespace ipvsproxy::https
