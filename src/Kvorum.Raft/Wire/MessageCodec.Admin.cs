using System.Diagnostics;

namespace Kvorum.Raft;

/// <summary>Messages about members, leaders and damaged logs; rare, and never on the way of a command.</summary>
public static partial class MessageCodec
{
    private static int SizeOf(MembershipChange change) =>
        1 + 8 + 1 + 1 + (change.New is { } member ? MembershipCodec.Size(member) : 0);

    private static void WriteAdminBody(Message message, ref WireWriter writer)
    {
        switch (message)
        {
            case MembershipNotice notice:
                writer.UInt64(notice.Index.Value);
                writer.Membership(notice.Membership);
                break;
            case ChangeRequest request:
                writer.UInt64(request.RequestId);
                writer.Bool(request.IsDryRun);
                Write(request.Change, ref writer);
                break;
            case TransferRequest request:
                writer.UInt64(request.RequestId);
                writer.UInt64(request.Target?.Value ?? 0);
                break;
            case AdminReply reply:
                writer.UInt64(reply.RequestId);
                writer.Byte((byte)reply.Result);
                writer.EntryId(reply.Entry);
                writer.Text(reply.Reason);
                break;
            case MendRequest request:
                writer.EntryId(request.Before);
                writer.UInt64(request.First.Value);
                break;
            case MendReply reply:
                writer.Byte((byte)reply.Result);
                writer.EntryId(reply.Before);
                writer.EntryId(reply.Previous);
                writer.Entries(reply.Entries.Span);
                break;
            default:
                throw new UnreachableException($"No body for {message.GetType().Name}.");
        }
    }

    private static void Write(MembershipChange change, ref WireWriter writer)
    {
        writer.Byte((byte)change.Kind);
        writer.UInt64(change.Node.Value);
        writer.Bool(change.StaysLearner);
        writer.Bool(change.New is not null);
        if (change.New is { } member)
        {
            MembershipCodec.Write(member, ref writer);
        }
    }

    private static Message? ReadAdminBody(MessageKind kind, Header header, ref WireReader reader)
    {
        var (group, from, to, term) = header;
        switch (kind)
        {
            case MessageKind.MembershipNotice:
                return new MembershipNotice(group, from, to, term, reader.Index(), reader.Membership());
            case MessageKind.ChangeRequest:
                return new ChangeRequest(group, from, to, term, reader.UInt64(), reader.Bool(), ReadChange(ref reader));
            case MessageKind.TransferRequest:
                return new TransferRequest(group, from, to, term, reader.UInt64(), reader.NodeOrNone());
            case MessageKind.AdminReply:
                return new AdminReply(
                    group, from, to, term, reader.UInt64(), ReadResult(ref reader), reader.EntryId(), reader.Text());
            case MessageKind.MendRequest:
                return new MendRequest(group, from, to, term, reader.EntryId(), reader.Index());
            case MessageKind.MendReply:
                return ReadMendReply(header, ref reader);
            default:
                reader.Fail($"Unknown message kind {(byte)kind}.");
                return null;
        }
    }

    private static MendReply ReadMendReply(Header header, ref WireReader reader)
    {
        var (group, from, to, term) = header;
        var result = (MendResult)reader.Byte();
        if (result is < MendResult.Found or > MendResult.Gone)
        {
            reader.Fail($"Unknown answer {(byte)result}.");
        }

        var before = reader.EntryId();
        var previous = reader.EntryId();
        return new MendReply(group, from, to, term, result, before, previous, reader.Entries(previous, before.Term));
    }

    private static AdminResult ReadResult(ref WireReader reader)
    {
        var result = (AdminResult)reader.Byte();
        if (result is < AdminResult.Accepted or > AdminResult.NoLeader)
        {
            reader.Fail($"Unknown result {(byte)result}.");
        }

        return result;
    }

    private static MembershipChange ReadChange(ref WireReader reader)
    {
        var kind = (MembershipChangeKind)reader.Byte();
        if (kind is < MembershipChangeKind.Add or > MembershipChangeKind.Update)
        {
            reader.Fail($"Unknown kind of change {(byte)kind}.");
        }

        var node = reader.Node();
        var staysLearner = reader.Bool();
        var member = reader.Bool() ? MembershipCodec.ReadMember(ref reader) : null;
        return new MembershipChange(kind, node, member, staysLearner);
    }
}
