using Kvorum.Raft;
using Microsoft.Extensions.Logging;

namespace Kvorum.Node;

/// <summary>Every log line of this project; ids 1000–1999, never reused.</summary>
internal static partial class Log
{
    [LoggerMessage(1000, LogLevel.Information,
        "Node {Name} ({Node}) of cluster {Cluster} starts: term {Term}, log {LogStart} to {LastEntry}, "
        + "applied {Applied}.")]
    public static partial void Starts(
        ILogger logger, string name, string node, string cluster, ulong term, string logStart, string lastEntry, ulong applied);

    [LoggerMessage(1001, LogLevel.Information, "Leader is {Leader} in term {Term}.")]
    public static partial void LeaderChanged(ILogger logger, string leader, ulong term);

    [LoggerMessage(1002, LogLevel.Information, "Role is {Role} in term {Term}.")]
    public static partial void RoleChanged(ILogger logger, Role role, ulong term);

    [LoggerMessage(1003, LogLevel.Information, "A {Kind} begins for term {Term}: {Reason}.")]
    public static partial void CampaignStarted(ILogger logger, string kind, ulong term, string reason);

    [LoggerMessage(1004, LogLevel.Warning,
        "No majority was heard for an election timeout: the leader of term {Term} steps down.")]
    public static partial void QuorumLost(ILogger logger, ulong term);

    [LoggerMessage(1005, LogLevel.Warning,
        "Entries {From} to {OldLast} were never committed and give way to the leader's.")]
    public static partial void TailReplaced(ILogger logger, ulong from, ulong oldLast);

    [LoggerMessage(1006, LogLevel.Information, "Snapshot transfer {Direction} {Peer} at {LastIncluded}: {State}.")]
    public static partial void SnapshotTransfer(ILogger logger, string direction, string peer, string lastIncluded, string state);

    [LoggerMessage(1007, LogLevel.Warning, "Node {Peer} is refused: {Reason}")]
    public static partial void PeerRefused(ILogger logger, string peer, string reason);

    [LoggerMessage(1033, LogLevel.Warning, "Node {Peer} is refused, {Count} times more since: {Reason}")]
    public static partial void PeerRefusedAgain(ILogger logger, string peer, long count, string reason);

    [LoggerMessage(1008, LogLevel.Error,
        "Node {Peer} came with another data directory (incarnation {Found}, known is {Known}): it may "
        + "have voted before and does not know. It no longer counts as a voter; it is still sent the log.")]
    public static partial void PeerReplaced(ILogger logger, string peer, string found, string known);

    [LoggerMessage(1009, LogLevel.Error,
        "This data directory (incarnation {Mine}) replaced an older one of this node (incarnation "
        + "{Known}, says {Peer}). The node does not vote and is not counted as a voter; it follows the log "
        + "only, until the leader has made it a learner and promotes it again.")]
    public static partial void SelfReplaced(ILogger logger, string mine, string known, string peer);

    [LoggerMessage(1010, LogLevel.Critical, "The replica stops: {Reason} The last inputs are in {File}.")]
    public static partial void Stops(ILogger logger, Exception error, string reason, string file);

    [LoggerMessage(1011, LogLevel.Information, "The node stops as asked.")]
    public static partial void StopsAsAsked(ILogger logger);

    [LoggerMessage(1012, LogLevel.Information, "Snapshot at {LastIncluded} is durable: {Bytes} bytes.")]
    public static partial void SnapshotTaken(ILogger logger, string lastIncluded, ulong bytes);

    [LoggerMessage(1013, LogLevel.Warning,
        "A snapshot could not be written and is tried again later; the log is kept. {Reason}")]
    public static partial void SnapshotFailed(ILogger logger, string reason);

    [LoggerMessage(1014, LogLevel.Error, "A snapshot file was damaged and set aside: {File}")]
    public static partial void SnapshotDamaged(ILogger logger, string file);

    [LoggerMessage(1015, LogLevel.Error,
        "The disk is full: no room for the next log segment. Writes are refused when the one in use is "
        + "full; free some space. {Reason}")]
    public static partial void NoSegment(ILogger logger, string reason);

    [LoggerMessage(1020, LogLevel.Error,
        "The log ends at {Last}, but this node had acknowledged entries up to {Acknowledged}: its disk "
        + "lost durable entries, or an older copy of its directory was put back. The node no longer votes "
        + "and is not counted as a voter; it follows the log only, until the leader has made it a learner and "
        + "promotes it again.")]
    public static partial void TailLost(ILogger logger, ulong acknowledged, string last);

    [LoggerMessage(1021, LogLevel.Error,
        "Node {Peer} lost entries it had acknowledged. It no longer counts as a voter; it is still sent "
        + "the log.")]
    public static partial void PeerTailLost(ILogger logger, string peer);

    [LoggerMessage(1024, LogLevel.Error,
        "This directory is older than what was promised from it: {Reason} The node gave up its vote and is not counted "
        + "as a voter; it follows the log only, until the leader has made it a learner and promotes it again.")]
    public static partial void PromiseLost(ILogger logger, string reason);

    [LoggerMessage(1023, LogLevel.Information, "No vote yet: {Reason}")]
    public static partial void WaitsForVoters(ILogger logger, string reason);

    [LoggerMessage(1030, LogLevel.Error,
        "The log is damaged: {Problem} Lost: {Lost}. The node gave up its vote and goes on as a replaced directory "
        + "(incarnation {Incarnation}): it is sent what it lost, and does not count as a voter until the leader has "
        + "readmitted it. The damaged files are in {Aside}.")]
    public static partial void LogDamaged(
        ILogger logger, string problem, string lost, string aside, string incarnation);

    [LoggerMessage(1040, LogLevel.Information, "Members from entry {Index} on: voters {Members}.")]
    public static partial void MembershipInForce(ILogger logger, ulong index, string members);

    [LoggerMessage(1041, LogLevel.Information, "The membership of entry {Index} is committed: voters {Members}.")]
    public static partial void MembershipCommitted(ILogger logger, ulong index, string members);

    [LoggerMessage(1042, LogLevel.Warning,
        "This node was removed from the cluster. It takes no more part; stop it. To come back it needs a new name "
        + "and an empty data directory.")]
    public static partial void Removed(ILogger logger);

    [LoggerMessage(1031, LogLevel.Warning,
        "The snapshot at {LastIncluded} could not be received and is tried again later; nothing else is lost. "
        + "{Reason}")]
    public static partial void SnapshotNotReceived(ILogger logger, string lastIncluded, string reason);

    [LoggerMessage(1032, LogLevel.Warning, "This leader hands over to a voter that is caught up: {Reason}.")]
    public static partial void HandsOverForItsDisk(ILogger logger, string reason);

    [LoggerMessage(1034, LogLevel.Warning,
        "The log is damaged: {Problem} Its end is certain, so what is missing can be asked of the peers. Until it is "
        + "there this node neither votes nor acknowledges nor serves.")]
    public static partial void LogIsMended(ILogger logger, string problem);

    [LoggerMessage(1035, LogLevel.Information,
        "The log is whole again, as it was: up to entry {Last}, term {Term}. Nothing was forgotten. The damaged files "
        + "are in {Aside}.")]
    public static partial void LogMended(ILogger logger, ulong last, ulong term, string aside);

    [LoggerMessage(1036, LogLevel.Warning, "The mended log finds no room on the disk; tried again later. {Reason}")]
    public static partial void MendedLogNotWritten(ILogger logger, string reason);
}
