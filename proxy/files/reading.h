// One manifest file's bytes to the objects it gives and what there is to say about them.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/files/layers.h"

namespace ipvsproxy::files {

enum class Severity : std::uint8_t { note, warning, error };

/// One line for the log.
struct Message {
    Severity severity{};
    std::string text;
    friend auto operator<=>(const Message&, const Message&) = default;
};

/// What a file says.
struct Reading {
    bool broken{};    ///< no JSON or YAML: none of it counts
    bool anonymous{}; ///< holds an object that was refused and has no name
    Objects objects{};
    std::set<Key> refused{};             ///< named, but malformed
    std::set<std::string> passed_over{}; ///< other kinds: "apps/v1 Deployment"
    std::vector<Message> messages{};     ///< in the order of the file
};

/// Reads one manifest, in pieces of any size. JSON is decoded as it comes and not kept; of YAML the
/// text is.
class ManifestReader {
public:
    /// @param file names the file in messages, and says by its end which language it is in; where
    /// it does not (standard input), a text that begins with an object in JSON is JSON.
    explicit ManifestReader(const std::string& file);
    ~ManifestReader();
    ManifestReader(const ManifestReader&) = delete;
    ManifestReader& operator=(const ManifestReader&) = delete;

    void feed(std::string_view piece);
    /// At the end of the text. The reader is used up.
    Reading finish();

private:
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

} // namespace ipvsproxy::files
