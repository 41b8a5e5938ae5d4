using System.Text;

using Kvorum.Raft;

namespace Kvorum.Storage.Tests;

/// <summary>Short ways to say what a test writes and expects.</summary>
internal static class Logs
{
    public static readonly GroupId Group = new(1);

    public static WalOptions Options(long segmentBytes = 4096) =>
        new() { ClusterId = 7, Node = new NodeId(3), SegmentBytes = segmentBytes };

    public static EntryId Id(ulong term, ulong index) => new(new Term(term), new LogIndex(index));

    public static LogEntry Entry(ulong term, ulong index, string? payload = null) =>
        new(Id(term, index), EntryKind.Command, Encoding.UTF8.GetBytes(payload ?? $"{term}/{index}"));

    public static LogEntry Large(ulong term, ulong index, int bytes)
    {
        var payload = new byte[bytes];
        for (var i = 0; i < bytes; i++)
        {
            payload[i] = (byte)(index * 31 + (ulong)i * 7);
        }

        return new LogEntry(Id(term, index), EntryKind.Command, payload);
    }

    public static LogEntry[] Entries(ulong term, ulong first, int count, int payloadBytes = 20) =>
        [.. Enumerable.Range(0, count).Select(i => Large(term, first + (ulong)i, payloadBytes))];

    public static HardState State(ulong term, ulong? vote = null) =>
        new(new Term(term), vote is { } node ? new NodeId(node) : null);

    public static string Show(LogEntry entry) => $"{entry.Id} {entry.Kind} {Convert.ToHexString(entry.Payload.Span)}";

    public static void AssertSame(IEnumerable<LogEntry> expected, IEnumerable<LogEntry> found) =>
        Assert.Equal(expected.Select(Show), found.Select(Show));
}
