using System.Buffers;
using System.Diagnostics;

namespace Kvorum.Raft;

/// <summary>Messages to bytes and back; the layout is in docs/formats.md.</summary>
public static partial class MessageCodec
{
    /// <summary>The first byte of every message.</summary>
    public const byte Version = 3;

    private const int HeaderBytes = 30;
    private const int EntryIdBytes = 16;

    /// <summary>Appends the message's bytes (without frame length) to <paramref name="output"/>.</summary>
    public static void Encode(Message message, IBufferWriter<byte> output)
    {
        ArgumentNullException.ThrowIfNull(message);
        ArgumentNullException.ThrowIfNull(output);
        var size = HeaderBytes + BodySize(message);
        var writer = new WireWriter(output.GetSpan(size));
        writer.Byte(Version);
        writer.Byte((byte)KindOf(message));
        writer.UInt32(message.Group.Value);
        writer.UInt64(message.From.Value);
        writer.UInt64(message.To.Value);
        writer.UInt64(message.Term.Value);
        WriteBody(message, ref writer);
        Invariant.Holds(writer.Written == size, "A message is as long as it was said to be.");
        output.Advance(size);
    }

    /// <summary>Reads one message; entry payloads and chunk data are slices of <paramref name="frame"/>.</summary>
    /// <returns>
    /// False with a reason when the bytes are not a message; never throws on bad input, allocation is bounded by the
    /// frame's size.
    /// </returns>
    public static bool TryDecode(ReadOnlyMemory<byte> frame, out Message? message, out string? error)
    {
        var reader = new WireReader(frame);
        var version = reader.Byte();
        if (version != Version)
        {
            reader.Fail($"Expected message version {Version}, found {version}.");
        }

        var kind = (MessageKind)reader.Byte();
        var header = new Header(new GroupId(reader.UInt32()), reader.Node(), reader.Node(), new Term(reader.UInt64()));
        message = reader.Error is null ? ReadBody(kind, header, ref reader) : null;
        if (reader.Error is null && reader.Remaining > 0)
        {
            reader.Fail($"{reader.Remaining} bytes follow the message.");
        }

        error = reader.Error;
        if (error is not null)
        {
            message = null;
        }

        return message is not null;
    }

    private static MessageKind KindOf(Message message) => message switch
    {
        RequestVote => MessageKind.RequestVote,
        VoteReply => MessageKind.VoteReply,
        AppendEntries => MessageKind.AppendEntries,
        AppendReply => MessageKind.AppendReply,
        Heartbeat => MessageKind.Heartbeat,
        HeartbeatReply => MessageKind.HeartbeatReply,
        InstallSnapshot => MessageKind.InstallSnapshot,
        InstallSnapshotReply => MessageKind.InstallSnapshotReply,
        ForwardProposals => MessageKind.ForwardProposals,
        ForwardReply => MessageKind.ForwardReply,
        ReadIndexRequest => MessageKind.ReadIndexRequest,
        ReadIndexReply => MessageKind.ReadIndexReply,
        TimeoutNow => MessageKind.TimeoutNow,
        MembershipNotice => MessageKind.MembershipNotice,
        ChangeRequest => MessageKind.ChangeRequest,
        TransferRequest => MessageKind.TransferRequest,
        AdminReply => MessageKind.AdminReply,
        MendRequest => MessageKind.MendRequest,
        MendReply => MessageKind.MendReply,
        _ => throw new UnreachableException($"No kind for {message.GetType().Name}."),
    };

    private static int BodySize(Message message) => message switch
    {
        RequestVote request => EntryIdBytes + 8 + 1 + 1 + 8 + 1
            + (request.Candidate is { } candidate ? MembershipCodec.Size(candidate) : 0),
        VoteReply => 1 + 1,
        AppendEntries append => EntryIdBytes + 8 + 4 + SizeOf(append.Entries.Span),
        AppendReply => 1 + 8 + EntryIdBytes + 1 + 8,
        Heartbeat => EntryIdBytes + 8,
        HeartbeatReply => 8,
        InstallSnapshot install => SizeOf(install.Snapshot) + 8 + 4 + install.Data.Length,
        InstallSnapshotReply => EntryIdBytes + 8 + 1,
        ForwardProposals forward => 8 + 4 + 4 + SizeOf(forward.Commands.Span),
        ForwardReply => 8 + 4 + 4 + 1 + EntryIdBytes,
        ReadIndexRequest => 8,
        ReadIndexReply => 8 + 1 + 8,
        TimeoutNow => 0,
        MembershipNotice notice => 8 + SizeOf(notice.Membership),
        ChangeRequest request => 8 + 1 + SizeOf(request.Change),
        TransferRequest => 8 + 8,
        AdminReply reply => 8 + 1 + EntryIdBytes + 2 + WireText.Bytes(reply.Reason),
        MendRequest => EntryIdBytes + 8,
        MendReply reply => 1 + EntryIdBytes + EntryIdBytes + 4 + SizeOf(reply.Entries.Span),
        _ => throw new UnreachableException($"No size for {message.GetType().Name}."),
    };

    private static int SizeOf(ReadOnlySpan<LogEntry> entries)
    {
        var size = 0;
        foreach (ref readonly var entry in entries)
        {
            size += EntryCodec.Size(entry);
        }

        return size;
    }

    private static int SizeOf(ReadOnlySpan<ReadOnlyMemory<byte>> commands)
    {
        var size = 0;
        foreach (var command in commands)
        {
            size += sizeof(uint) + command.Length;
        }

        return size;
    }

    private static int SizeOf(SnapshotDescriptor snapshot) =>
        EntryIdBytes + 8 + 4 + SizeOf(snapshot.Membership);

    private static int SizeOf(Membership membership) => sizeof(uint) + MembershipCodec.Size(membership);

    private static void WriteBody(Message message, ref WireWriter writer)
    {
        switch (message)
        {
            case AppendEntries append:
                writer.EntryId(append.Previous);
                writer.UInt64(append.Commit.Value);
                writer.Entries(append.Entries.Span);
                break;
            case AppendReply reply:
                writer.Bool(reply.Accepted);
                writer.UInt64(reply.Match.Value);
                writer.EntryId(reply.Hint);
                writer.Bool(reply.HasLostTail);
                writer.UInt64(reply.Incarnation);
                break;
            case Heartbeat heartbeat:
                writer.EntryId(heartbeat.Commit);
                writer.UInt64(heartbeat.ReadRound);
                break;
            case HeartbeatReply reply:
                writer.UInt64(reply.ReadRound);
                break;
            case RequestVote request:
                writer.EntryId(request.LastEntry);
                writer.UInt64(request.LostLeader?.Value ?? 0);
                writer.Bool(request.IsPreVote);
                writer.Bool(request.IsTransfer);
                writer.UInt64(request.Incarnation);
                writer.Bool(request.Candidate is not null);
                if (request.Candidate is { } candidate)
                {
                    MembershipCodec.Write(candidate, ref writer);
                }

                break;
            case VoteReply reply:
                writer.Bool(reply.IsPreVote);
                writer.Bool(reply.Granted);
                break;
            default:
                WriteRareBody(message, ref writer);
                break;
        }
    }

    private static void WriteRareBody(Message message, ref WireWriter writer)
    {
        switch (message)
        {
            case InstallSnapshot install:
                writer.Snapshot(install.Snapshot);
                writer.UInt64(install.Offset);
                writer.Bytes(install.Data.Span);
                break;
            case InstallSnapshotReply reply:
                writer.EntryId(reply.LastIncluded);
                writer.UInt64(reply.NextOffset);
                writer.Bool(reply.Installed);
                break;
            case ForwardProposals forward:
                writer.UInt64(forward.RequestId);
                writer.UInt32((uint)forward.Offset);
                writer.UInt32((uint)forward.Commands.Length);
                foreach (var command in forward.Commands.Span)
                {
                    writer.Bytes(command.Span);
                }

                break;
            case ForwardReply reply:
                writer.UInt64(reply.RequestId);
                writer.UInt32((uint)reply.Offset);
                writer.UInt32((uint)reply.Count);
                writer.Bool(reply.Accepted);
                writer.EntryId(reply.First);
                break;
            case ReadIndexRequest request:
                writer.UInt64(request.RequestId);
                break;
            case ReadIndexReply reply:
                writer.UInt64(reply.RequestId);
                writer.Bool(reply.Accepted);
                writer.UInt64(reply.Index.Value);
                break;
            case TimeoutNow:
                break;
            default:
                WriteAdminBody(message, ref writer);
                break;
        }
    }

    private static Message? ReadBody(MessageKind kind, Header header, ref WireReader reader)
    {
        var (group, from, to, term) = header;
        switch (kind)
        {
            case MessageKind.RequestVote:
                return ReadRequestVote(header, ref reader);
            case MessageKind.VoteReply:
                return new VoteReply(group, from, to, term, reader.Bool(), reader.Bool());
            case MessageKind.AppendEntries:
                var previous = reader.EntryId();
                return new AppendEntries(group, from, to, term, previous, reader.Index(), reader.Entries(previous, term));
            case MessageKind.AppendReply:
                return new AppendReply(
                    group, from, to, term, reader.Bool(), reader.Index(), reader.EntryId(), reader.Bool(),
                    reader.UInt64());
            case MessageKind.Heartbeat:
                return new Heartbeat(group, from, to, term, reader.EntryId(), reader.UInt64());
            case MessageKind.HeartbeatReply:
                return new HeartbeatReply(group, from, to, term, reader.UInt64());
            case MessageKind.InstallSnapshot:
                return new InstallSnapshot(group, from, to, term, reader.Snapshot(), reader.UInt64(), reader.Bytes());
            case MessageKind.InstallSnapshotReply:
                return new InstallSnapshotReply(group, from, to, term, reader.EntryId(), reader.UInt64(), reader.Bool());
            case MessageKind.ForwardProposals:
                return new ForwardProposals(group, from, to, term, reader.UInt64(), reader.Number(), reader.Commands());
            case MessageKind.ForwardReply:
                return new ForwardReply(
                    group, from, to, term, reader.UInt64(), reader.Number(), reader.Number(), reader.Bool(), reader.EntryId());
            case MessageKind.ReadIndexRequest:
                return new ReadIndexRequest(group, from, to, term, reader.UInt64());
            case MessageKind.ReadIndexReply:
                return new ReadIndexReply(group, from, to, term, reader.UInt64(), reader.Bool(), reader.Index());
            case MessageKind.TimeoutNow:
                return new TimeoutNow(group, from, to, term);
            default:
                return ReadAdminBody(kind, header, ref reader);
        }
    }

    private static RequestVote ReadRequestVote(Header header, ref WireReader reader)
    {
        var (group, from, to, term) = header;
        var last = reader.EntryId();
        var lostLeader = reader.NodeOrNone();
        var isPreVote = reader.Bool();
        var isTransfer = reader.Bool();
        var incarnation = reader.UInt64();
        var candidate = reader.Bool() ? MembershipCodec.ReadMember(ref reader) : null;
        return new RequestVote(
            group, from, to, term, last, isPreVote, lostLeader, isTransfer, incarnation, candidate);
    }

    private readonly record struct Header(GroupId Group, NodeId From, NodeId To, Term Term);
}
