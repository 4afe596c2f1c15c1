// Kubernetes' feature gates, of which a few decide something here.
#pragma once

#include <boost/system/result.hpp>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>

namespace ipvsproxy::config {

enum class Stage : std::uint8_t { alpha, beta, stable, deprecated };
/// As metric kubernetes_feature_enabled spells it: "ALPHA", "BETA", "" or "DEPRECATED".
std::string_view name(Stage stage) noexcept;

struct Gate {
    std::string_view name;
    Stage stage;
    bool enabled; ///< unless set
    bool locked;  ///< may not be set otherwise
};

/// The gates that kube-proxy 1.36 registers, by name.
std::span<const Gate> known_gates() noexcept;

/// Which gates are on: the known ones' defaults, less what was set.
class FeatureGates {
public:
    /// Reads a featureGates map. AllAlpha and AllBeta speak for the gates of their stage that are
    /// not named themselves. @return all that is wrong with it, as one text.
    static boost::system::result<FeatureGates, std::string>
    resolve(const std::map<std::string, bool>& chosen);
    /// False for names that are not known.
    bool enabled(std::string_view name) const;
    friend bool operator==(const FeatureGates&, const FeatureGates&) = default;

private:
    std::map<std::string, bool, std::less<>> chosen_; ///< only those that differ from the default
};

} // namespace ipvsproxy::config
