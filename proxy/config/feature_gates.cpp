#include "proxy/config/feature_gates.h"

#include <algorithm>
#include <array>

#include "proxy/config/texts.h"

namespace ipvsproxy::config {
namespace {

// As kube-proxy 1.36.2 shows them in kubernetes_feature_enabled, sorted by name. Locked are those
// whose lock Kubernetes' sources put at 1.36 or before (LockToDefault in
// pkg/features/kube_features.go and staging/src/k8s.io/apiserver/pkg/features/kube_features.go); of
// a gate that became stable in 1.36 it is not known, and such a gate decides nothing here.
constexpr std::array gates{
    Gate{"APIResponseCompression", Stage::beta, true, false},
    Gate{"APIServerIdentity", Stage::beta, true, false},
    Gate{"APIServerTracing", Stage::stable, true, true},
    Gate{"APIServingWithRoutine", Stage::alpha, false, false},
    Gate{"AggregatedDiscoveryRemoveBetaType", Stage::deprecated, true, true},
    Gate{"AllAlpha", Stage::alpha, false, false},
    Gate{"AllBeta", Stage::beta, false, false},
    Gate{"AllowDNSOnlyNodeCSR", Stage::deprecated, false, false},
    Gate{"AllowInsecureKubeletCertificateSigningRequests", Stage::deprecated, false, false},
    Gate{"AllowOverwriteTerminationGracePeriodSeconds", Stage::deprecated, false, false},
    Gate{"AllowParsingUserUIDFromCertAuth", Stage::beta, true, false},
    Gate{"AllowServiceExternalIPs", Stage::stable, true, false},
    Gate{"AllowUnsafeMalformedObjectDeletion", Stage::alpha, false, false},
    Gate{"AnonymousAuthConfigurableEndpoints", Stage::stable, true, true},
    Gate{"AnyVolumeDataSource", Stage::stable, true, true},
    Gate{"AtomicFIFO", Stage::beta, true, false},
    Gate{"AuthorizeNodeWithSelectors", Stage::stable, true, true},
    Gate{"AuthorizePodWebsocketUpgradeCreatePermission", Stage::beta, true, false},
    Gate{"AuthorizeWithSelectors", Stage::stable, true, true},
    Gate{"BtreeWatchCache", Stage::stable, true, true},
    Gate{"CBORServingAndStorage", Stage::alpha, false, false},
    Gate{"CPUManagerPolicyAlphaOptions", Stage::alpha, false, false},
    Gate{"CPUManagerPolicyBetaOptions", Stage::beta, true, false},
    Gate{"CPUManagerPolicyOptions", Stage::stable, true, true},
    Gate{"CRDObservedGenerationTracking", Stage::beta, true, false},
    Gate{"CRDValidationRatcheting", Stage::stable, true, true},
    Gate{"CRIListStreaming", Stage::alpha, false, false},
    Gate{"CSIServiceAccountTokenSecrets", Stage::stable, true, false},
    Gate{"CSIVolumeHealth", Stage::alpha, false, false},
    Gate{"ChangeContainerStatusOnKubeletRestart", Stage::deprecated, false, false},
    Gate{"ClearingNominatedNodeNameAfterBinding", Stage::beta, true, false},
    Gate{"ClientsAllowCARotation", Stage::beta, true, false},
    Gate{"ClientsAllowCBOR", Stage::alpha, false, false},
    Gate{"ClientsAllowTLSCacheGC", Stage::beta, true, false},
    Gate{"ClientsPreferCBOR", Stage::alpha, false, false},
    Gate{"CloudControllerManagerWatchBasedRoutesReconciliation", Stage::alpha, false, false},
    Gate{"CloudControllerManagerWebhook", Stage::alpha, false, false},
    Gate{"ClusterTrustBundle", Stage::beta, false, false},
    Gate{"ClusterTrustBundleProjection", Stage::beta, false, false},
    Gate{"ComponentFlagz", Stage::beta, true, false},
    Gate{"ComponentStatusz", Stage::beta, true, false},
    Gate{"ConcurrentWatchObjectDecode", Stage::beta, false, false},
    Gate{"ConsistentListFromCache", Stage::stable, true, true},
    Gate{"ConstrainedImpersonation", Stage::beta, true, false},
    Gate{"ContainerCheckpoint", Stage::beta, true, false},
    Gate{"ContainerRestartRules", Stage::beta, true, false},
    Gate{"ContainerStopSignals", Stage::alpha, false, false},
    Gate{"ContextualLogging", Stage::beta, true, false},
    Gate{"ControllerManagerReleaseLeaderElectionLockOnExit", Stage::alpha, false, false},
    Gate{"CoordinatedLeaderElection", Stage::beta, false, false},
    Gate{"CrossNamespaceVolumeDataSource", Stage::alpha, false, false},
    Gate{"CustomCPUCFSQuotaPeriod", Stage::stable, true, false},
    Gate{"CustomResourceFieldSelectors", Stage::stable, true, true},
    Gate{"DRAAdminAccess", Stage::stable, true, true},
    Gate{"DRAConsumableCapacity", Stage::beta, true, false},
    Gate{"DRADeviceBindingConditions", Stage::beta, true, false},
    Gate{"DRADeviceTaintRules", Stage::beta, false, false},
    Gate{"DRADeviceTaints", Stage::beta, true, false},
    Gate{"DRAExtendedResource", Stage::beta, true, false},
    Gate{"DRAListTypeAttributes", Stage::alpha, false, false},
    Gate{"DRANodeAllocatableResources", Stage::alpha, false, false},
    Gate{"DRAPartitionableDevices", Stage::beta, true, false},
    Gate{"DRAPrioritizedList", Stage::stable, true, false},
    Gate{"DRAResourceClaimDeviceStatus", Stage::beta, true, false},
    Gate{"DRAResourceClaimGranularStatusAuthorization", Stage::beta, true, false},
    Gate{"DRAResourcePoolStatus", Stage::alpha, false, false},
    Gate{"DRASchedulerFilterTimeout", Stage::beta, true, false},
    Gate{"DRAWorkloadResourceClaims", Stage::alpha, false, false},
    Gate{"DeclarativeValidation", Stage::stable, true, false},
    Gate{"DeclarativeValidationBeta", Stage::beta, true, false},
    Gate{"DeclarativeValidationTakeover", Stage::deprecated, false, false},
    Gate{"DeploymentReplicaSetTerminatingReplicas", Stage::beta, true, false},
    Gate{"DetectCacheInconsistency", Stage::beta, true, false},
    Gate{"DisableAllocatorDualWrite", Stage::stable, true, true},
    Gate{"DisableCPUQuotaWithExclusiveCPUs", Stage::deprecated, true, false},
    Gate{"DisableNodeKubeProxyVersion", Stage::deprecated, true, false},
    Gate{"DynamicResourceAllocation", Stage::stable, true, true},
    Gate{"EnvFiles", Stage::beta, true, false},
    Gate{"EventedPLEG", Stage::alpha, false, false},
    Gate{"ExecProbeTimeout", Stage::stable, true, true},
    Gate{"ExtendWebSocketsToKubelet", Stage::beta, true, false},
    Gate{"ExternalServiceAccountTokenSigner", Stage::stable, true, false},
    Gate{"GangScheduling", Stage::alpha, false, false},
    Gate{"GenericWorkload", Stage::alpha, false, false},
    Gate{"GitRepoVolumeDriver", Stage::deprecated, false, false},
    Gate{"GracefulNodeShutdown", Stage::beta, true, false},
    Gate{"GracefulNodeShutdownBasedOnPodPriority", Stage::beta, true, false},
    Gate{"HPAConfigurableTolerance", Stage::beta, true, false},
    Gate{"HPAScaleToZero", Stage::alpha, false, false},
    Gate{"HostnameOverride", Stage::beta, true, false},
    Gate{"ImageMaximumGCAge", Stage::stable, true, true},
    Gate{"ImageVolume", Stage::stable, true, false},
    Gate{"ImageVolumeWithDigest", Stage::alpha, false, false},
    Gate{"InOrderInformers", Stage::stable, true, false},
    Gate{"InOrderInformersBatchProcess", Stage::beta, true, false},
    Gate{"InPlacePodLevelResourcesVerticalScaling", Stage::beta, true, false},
    Gate{"InPlacePodVerticalScaling", Stage::stable, true, true},
    Gate{"InPlacePodVerticalScalingExclusiveCPUs", Stage::alpha, false, false},
    Gate{"InPlacePodVerticalScalingExclusiveMemory", Stage::alpha, false, false},
    Gate{"InPlacePodVerticalScalingInitContainers", Stage::beta, true, false},
    Gate{"InformerResourceVersion", Stage::stable, true, false},
    Gate{"JobBackoffLimitPerIndex", Stage::stable, true, true},
    Gate{"JobManagedBy", Stage::stable, true, true},
    Gate{"JobPodReplacementPolicy", Stage::stable, true, true},
    Gate{"JobSuccessPolicy", Stage::stable, true, true},
    Gate{"KMSv1", Stage::deprecated, false, false},
    Gate{"KubeletCgroupDriverFromCRI", Stage::stable, true, true},
    Gate{"KubeletCrashLoopBackOffMax", Stage::beta, true, false},
    Gate{"KubeletEnsureSecretPulledImages", Stage::beta, true, false},
    Gate{"KubeletFineGrainedAuthz", Stage::stable, true, false},
    Gate{"KubeletInUserNamespace", Stage::alpha, false, false},
    Gate{"KubeletPSI", Stage::stable, true, false},
    Gate{"KubeletPodResourcesDynamicResources", Stage::stable, true, false},
    Gate{"KubeletPodResourcesGet", Stage::stable, true, false},
    Gate{"KubeletPodResourcesListUseActivePods", Stage::deprecated, true, false},
    Gate{"KubeletRegistrationGetOnExistsOnly", Stage::deprecated, false, false},
    Gate{"KubeletSeparateDiskGC", Stage::beta, true, false},
    Gate{"KubeletServiceAccountTokenForCredentialProviders", Stage::beta, true, false},
    Gate{"KubeletTracing", Stage::stable, true, true},
    Gate{"ListFromCacheSnapshot", Stage::beta, true, false},
    Gate{"LocalStorageCapacityIsolationFSQuotaMonitoring", Stage::beta, false, false},
    Gate{"LogarithmicScaleDown", Stage::stable, true, true},
    Gate{"LoggingAlphaOptions", Stage::alpha, false, false},
    Gate{"LoggingBetaOptions", Stage::beta, true, false},
    Gate{"ManifestBasedAdmissionControlConfig", Stage::alpha, false, false},
    Gate{"MatchLabelKeysInPodAffinity", Stage::stable, true, true},
    Gate{"MatchLabelKeysInPodTopologySpread", Stage::beta, true, false},
    Gate{"MatchLabelKeysInPodTopologySpreadSelectorMerge", Stage::beta, true, false},
    Gate{"MaxUnavailableStatefulSet", Stage::beta, false, false},
    Gate{"MemoryQoS", Stage::alpha, false, false},
    Gate{"MinimumKubeletVersion", Stage::alpha, false, false},
    Gate{"MultiCIDRServiceAllocator", Stage::stable, true, true},
    Gate{"MutableCSINodeAllocatableCount", Stage::stable, true, false},
    Gate{"MutablePVNodeAffinity", Stage::alpha, false, false},
    Gate{"MutablePodResourcesForSuspendedJobs", Stage::beta, true, false},
    Gate{"MutableSchedulingDirectivesForSuspendedJobs", Stage::beta, true, false},
    Gate{"MutatingAdmissionPolicy", Stage::stable, true, false},
    Gate{"NFTablesProxyMode", Stage::stable, true, true},
    Gate{"NativeHistograms", Stage::alpha, false, false},
    Gate{"NodeDeclaredFeatures", Stage::beta, true, false},
    Gate{"NodeInclusionPolicyInPodTopologySpread", Stage::stable, true, true},
    Gate{"NodeLogQuery", Stage::stable, true, false},
    Gate{"NodeSwap", Stage::stable, true, true},
    Gate{"NominatedNodeNameForExpectation", Stage::beta, true, false},
    Gate{"OpenAPIEnums", Stage::beta, true, false},
    Gate{"OpportunisticBatching", Stage::beta, true, false},
    Gate{"OrderedNamespaceDeletion", Stage::stable, true, true},
    Gate{"PLEGOnDemandRelist", Stage::beta, true, false},
    Gate{"PersistentVolumeClaimUnusedSinceTime", Stage::alpha, false, false},
    Gate{"PodAndContainerStatsFromCRI", Stage::alpha, false, false},
    Gate{"PodCertificateRequest", Stage::beta, false, false},
    Gate{"PodDeletionCost", Stage::beta, true, false},
    Gate{"PodLevelResourceManagers", Stage::alpha, false, false},
    Gate{"PodLevelResources", Stage::beta, true, false},
    Gate{"PodLifecycleSleepAction", Stage::stable, true, true},
    Gate{"PodLifecycleSleepActionAllowZero", Stage::stable, true, true},
    Gate{"PodLogsQuerySplitStreams", Stage::alpha, false, false},
    Gate{"PodObservedGenerationTracking", Stage::stable, true, true},
    Gate{"PodReadyToStartContainersCondition", Stage::beta, true, false},
    Gate{"PodSchedulingReadiness", Stage::stable, true, true},
    Gate{"PodTopologyLabelsAdmission", Stage::beta, true, false},
    Gate{"PodsAPI", Stage::alpha, false, false},
    Gate{"PortForwardWebsockets", Stage::beta, true, false},
    Gate{"PreferSameTrafficDistribution", Stage::stable, true, true},
    Gate{"PreventStaticPodAPIReferences", Stage::beta, true, false},
    Gate{"ProcMountType", Stage::stable, true, false},
    Gate{"QOSReserved", Stage::alpha, false, false},
    Gate{"RecoverVolumeExpansionFailure", Stage::stable, true, true},
    Gate{"RecursiveReadOnlyMounts", Stage::stable, true, true},
    Gate{"ReduceDefaultCrashLoopBackOffDecay", Stage::alpha, false, false},
    Gate{"RelaxedDNSSearchValidation", Stage::stable, true, true},
    Gate{"RelaxedEnvironmentVariableValidation", Stage::stable, true, true},
    Gate{"RelaxedServiceNameValidation", Stage::beta, true, false},
    Gate{"ReloadKubeletClientCAFile", Stage::beta, true, false},
    Gate{"ReloadKubeletServerCertificateFile", Stage::beta, true, false},
    Gate{"RemoteRequestHeaderUID", Stage::beta, true, false},
    Gate{"ResilientWatchCacheInitialization", Stage::stable, true, true},
    Gate{"ResourceHealthStatus", Stage::beta, true, false},
    Gate{"ResourceHealthStatusMessage", Stage::beta, true, false},
    Gate{"RestartAllContainersOnContainerExits", Stage::beta, true, false},
    Gate{"RetryGenerateName", Stage::stable, true, true},
    Gate{"RotateKubeletServerCertificate", Stage::beta, true, false},
    Gate{"RouteExternalCertificate", Stage::alpha, false, false},
    Gate{"RuntimeClassInImageCriApi", Stage::alpha, false, false},
    Gate{"SELinuxChangePolicy", Stage::stable, true, false},
    Gate{"SELinuxMount", Stage::beta, false, false},
    Gate{"SELinuxMountReadWriteOncePod", Stage::stable, true, false},
    Gate{"SchedulerAsyncAPICalls", Stage::beta, false, false},
    Gate{"SchedulerAsyncPreemption", Stage::beta, true, false},
    Gate{"SchedulerPopFromBackoffQ", Stage::beta, true, false},
    Gate{"SchedulerQueueingHints", Stage::stable, true, true},
    Gate{"SeparateCacheWatchRPC", Stage::deprecated, false, false},
    Gate{"SeparateTaintEvictionController", Stage::stable, true, true},
    Gate{"ServiceAccountNodeAudienceRestriction", Stage::beta, true, false},
    Gate{"ServiceAccountTokenJTI", Stage::stable, true, true},
    Gate{"ServiceAccountTokenNodeBinding", Stage::stable, true, true},
    Gate{"ServiceAccountTokenNodeBindingValidation", Stage::stable, true, true},
    Gate{"ServiceAccountTokenPodNodeInfo", Stage::stable, true, true},
    Gate{"ServiceCIDRStatusFieldWiping", Stage::deprecated, true, false},
    Gate{"ShardedListAndWatch", Stage::alpha, false, false},
    Gate{"SidecarContainers", Stage::stable, true, true},
    Gate{"SizeBasedListCostEstimate", Stage::beta, true, false},
    Gate{"StaleControllerConsistencyDaemonSet", Stage::beta, true, false},
    Gate{"StaleControllerConsistencyJob", Stage::beta, true, false},
    Gate{"StaleControllerConsistencyReplicaSet", Stage::beta, true, false},
    Gate{"StaleControllerConsistencyStatefulSet", Stage::beta, true, false},
    Gate{"StatefulSetSemanticRevisionComparison", Stage::beta, true, false},
    Gate{"StorageCapacityScoring", Stage::alpha, false, false},
    Gate{"StorageNamespaceIndex", Stage::deprecated, true, false},
    Gate{"StoragePerformantSecurityPolicy", Stage::alpha, false, false},
    Gate{"StorageVersionAPI", Stage::alpha, false, false},
    Gate{"StorageVersionHash", Stage::beta, true, false},
    Gate{"StorageVersionMigrator", Stage::beta, false, false},
    Gate{"StreamingCollectionEncodingToJSON", Stage::stable, true, true},
    Gate{"StreamingCollectionEncodingToProtobuf", Stage::stable, true, true},
    Gate{"StrictIPCIDRValidation", Stage::beta, true, false},
    Gate{"StructuredAuthenticationConfiguration", Stage::stable, true, true},
    Gate{"StructuredAuthenticationConfigurationEgressSelector", Stage::beta, true, false},
    Gate{"StructuredAuthenticationConfigurationJWKSMetrics", Stage::beta, true, false},
    Gate{"SupplementalGroupsPolicy", Stage::stable, true, true},
    Gate{"SystemdWatchdog", Stage::stable, true, true},
    Gate{"TaintTolerationComparisonOperators", Stage::alpha, false, false},
    Gate{"TokenRequestServiceAccountUIDValidation", Stage::beta, true, false},
    Gate{"TopologyAwareWorkloadScheduling", Stage::alpha, false, false},
    Gate{"TopologyManagerPolicyAlphaOptions", Stage::alpha, false, false},
    Gate{"TopologyManagerPolicyBetaOptions", Stage::beta, true, false},
    Gate{"TopologyManagerPolicyOptions", Stage::stable, true, false},
    Gate{"TranslateStreamCloseWebsocketRequests", Stage::beta, true, false},
    Gate{"UnauthenticatedHTTP2DOSMitigation", Stage::beta, true, false},
    Gate{"UnknownVersionInteroperabilityProxy", Stage::beta, true, false},
    Gate{"UnlockWhileProcessingFIFO", Stage::beta, true, false},
    Gate{"UserNamespacesHostNetworkSupport", Stage::alpha, false, false},
    Gate{"UserNamespacesSupport", Stage::stable, true, false},
    Gate{"VolumeAttributesClass", Stage::stable, true, true},
    Gate{"VolumeLimitScaling", Stage::alpha, false, false},
    Gate{"WatchCacheInitializationPostStartHook", Stage::beta, true, false},
    Gate{"WatchList", Stage::beta, true, false},
    Gate{"WatchListClient", Stage::beta, true, false},
    Gate{"WinDSR", Stage::stable, true, true},
    Gate{"WinOverlay", Stage::stable, true, true},
    Gate{"WindowsCPUAndMemoryAffinity", Stage::alpha, false, false},
    Gate{"WindowsGracefulNodeShutdown", Stage::beta, true, false},
    Gate{"WindowsHostNetwork", Stage::deprecated, false, false},
    Gate{"WorkloadAwarePreemption", Stage::alpha, false, false},
    Gate{"WorkloadWithJob", Stage::alpha, false, false},
};
static_assert(std::ranges::is_sorted(gates, {}, &Gate::name));

const Gate* find(std::string_view name) {
    const auto* const found = std::ranges::lower_bound(gates, name, {}, &Gate::name);
    return found != gates.end() && found->name == name ? &*found : nullptr;
}

std::string_view truth(bool value) {
    return value ? "true" : "false";
}

} // namespace

std::string_view name(Stage stage) noexcept {
    switch (stage) {
    case Stage::alpha:
        return "ALPHA";
    case Stage::beta:
        return "BETA";
    case Stage::stable:
        return "";
    case Stage::deprecated:
        return "DEPRECATED";
    }
    return "";
}

std::span<const Gate> known_gates() noexcept {
    return gates;
}

boost::system::result<FeatureGates, std::string>
FeatureGates::resolve(const std::map<std::string, bool>& chosen) {
    FeatureGates result;
    std::vector<std::string> errors;
    const auto whole = [&](const char* all, Stage stage) {
        const auto wish = chosen.find(all);
        if (wish == chosen.end()) return;
        for (const auto& gate : gates)
            if (gate.stage == stage && !gate.locked)
                result.chosen_.insert_or_assign(std::string{gate.name}, wish->second);
    };
    whole("AllAlpha", Stage::alpha);
    whole("AllBeta", Stage::beta);
    for (const auto& [name, value] : chosen) {
        const Gate* const gate = find(name);
        if (gate == nullptr) {
            errors.push_back("unrecognized feature gate: " + name);
        } else if (gate->locked && value != gate->enabled) {
            errors.push_back("cannot set feature gate " + name + " to " +
                             std::string{truth(value)} + ", feature is locked to " +
                             std::string{truth(gate->enabled)});
        } else {
            result.chosen_.insert_or_assign(name, value);
        }
    }
    if (!errors.empty()) return aggregate(errors);
    std::erase_if(result.chosen_, [](const auto& item) {
        const Gate* const gate = find(item.first);
        return gate != nullptr && gate->enabled == item.second;
    });
    return result;
}

bool FeatureGates::enabled(std::string_view name) const {
    const auto set = chosen_.find(name);
    if (set != chosen_.end()) return set->second;
    const Gate* const gate = find(name);
    return gate != nullptr && gate->enabled;
}

} // namespace ipvsproxy::config
