using System.Diagnostics.CodeAnalysis;

namespace Kvorum.Raft;

/// <summary>
/// A membership to bytes and back, the same in a log entry, a peer message and a snapshot file; the layout is in
/// docs/formats.md.
/// </summary>
public static class MembershipCodec
{
    /// <summary>The first byte of every encoded membership.</summary>
    public const byte Version = 1;

    /// <summary>The most bytes an encoded membership has.</summary>
    public const int BytesMax = HeaderBytes
        + ((3 * Membership.NodesMax) + Membership.RemovedMax) * 8
        + Membership.NodesMax * (RecordBytes + 8 + MemberRecord.ClientUrlsMax * 2 + MemberRecord.TextBytesMax);

    private const int HeaderBytes = 8;
    private const int RecordBytes = 8 + 8 + 1 + 2 + 2 + 1;
    private const byte JoinsByItself = 1;
    private const byte HasReplaces = 2;

    /// <summary>Encoded size in bytes.</summary>
    public static int Size(Membership membership)
    {
        ArgumentNullException.ThrowIfNull(membership);
        var ids = membership.Voters.Length + membership.OutgoingVoters.Length + membership.Learners.Length
            + membership.LearnersNext.Length + membership.Removed.Length;
        var size = HeaderBytes + (8 * ids);
        foreach (var member in membership.Members)
        {
            size += Size(member);
        }

        return size;
    }

    /// <summary>Writes <see cref="Size(Membership)"/> bytes; returns how many.</summary>
    public static int Encode(Membership membership, Span<byte> output)
    {
        ArgumentNullException.ThrowIfNull(membership);
        var writer = new WireWriter(output);
        writer.Byte(Version);
        writer.Byte((byte)membership.Voters.Length);
        writer.Byte((byte)membership.OutgoingVoters.Length);
        writer.Byte((byte)membership.Learners.Length);
        writer.Byte((byte)membership.LearnersNext.Length);
        writer.Byte((byte)membership.Members.Count);
        writer.UInt16((ushort)membership.Removed.Length);
        writer.Nodes(membership.Voters);
        writer.Nodes(membership.OutgoingVoters);
        writer.Nodes(membership.Learners);
        writer.Nodes(membership.LearnersNext);
        writer.Nodes(membership.Removed);
        foreach (var member in membership.Members)
        {
            Write(member, ref writer);
        }

        return writer.Written;
    }

    /// <summary>The encoded bytes in an array of their own.</summary>
    public static byte[] Encode(Membership membership)
    {
        var bytes = new byte[Size(membership)];
        Encode(membership, bytes);
        return bytes;
    }

    /// <summary>Reads a membership that fills <paramref name="input"/>; never throws on bad input.</summary>
    public static bool TryDecode(
        ReadOnlyMemory<byte> input, [NotNullWhen(true)] out Membership? membership, out string? error)
    {
        var reader = new WireReader(input);
        membership = Read(ref reader);
        if (reader.Error is null && reader.Remaining > 0)
        {
            reader.Fail($"{reader.Remaining} bytes follow the membership.");
        }

        error = reader.Error;
        membership = error is null ? membership : null;
        return membership is not null;
    }

    internal static int Size(MemberRecord member) =>
        RecordBytes + (member.Replaces is null ? 0 : 8) + (2 * member.ClientUrls.Count) + member.TextBytes;

    internal static void Write(MemberRecord member, ref WireWriter writer)
    {
        writer.UInt64(member.Node.Value);
        writer.UInt64(member.Incarnation);
        writer.Byte((byte)((member.JoinsByItself ? JoinsByItself : 0) | (member.Replaces is null ? 0 : HasReplaces)));
        if (member.Replaces is { } old)
        {
            writer.UInt64(old.Value);
        }

        writer.Text(member.Name);
        writer.Text(member.PeerUrl);
        writer.Byte((byte)member.ClientUrls.Count);
        foreach (var url in member.ClientUrls)
        {
            writer.Text(url);
        }
    }

    internal static MemberRecord ReadMember(ref WireReader reader)
    {
        var node = reader.Node();
        var incarnation = reader.UInt64();
        var flags = reader.Byte();
        if (flags > (JoinsByItself | HasReplaces))
        {
            reader.Fail($"Unknown member flags {flags}.");
        }

        NodeId? replaces = (flags & HasReplaces) != 0 ? reader.Node() : null;
        var name = reader.Text();
        var peerUrl = reader.Text();
        var count = reader.Byte();
        if (count > MemberRecord.ClientUrlsMax)
        {
            reader.Fail($"A member has at most {MemberRecord.ClientUrlsMax} client URLs.");
            count = 0;
        }

        var urls = new string[count];
        for (var i = 0; i < count; i++)
        {
            urls[i] = reader.Text();
        }

        var member = new MemberRecord(node, incarnation, (flags & JoinsByItself) != 0, replaces, name, peerUrl, urls);
        if (member.TextBytes > MemberRecord.TextBytesMax)
        {
            reader.Fail($"A member's name and addresses have at most {MemberRecord.TextBytesMax} bytes.");
        }

        return member;
    }

    private static Membership? Read(ref WireReader reader)
    {
        var version = reader.Byte();
        if (version != Version)
        {
            reader.Fail($"Expected membership version {Version}, found {version}.");
        }

        int voterCount = reader.Byte();
        int outgoingCount = reader.Byte();
        int learnerCount = reader.Byte();
        int learnerNextCount = reader.Byte();
        int memberCount = reader.Byte();
        int removedCount = reader.UInt16();
        var voters = reader.Nodes(voterCount);
        var outgoing = reader.Nodes(outgoingCount);
        var learners = reader.Nodes(learnerCount);
        var learnersNext = reader.Nodes(learnerNextCount);
        var removed = reader.Nodes(removedCount);
        if (reader.Error is null
            && Membership.ProblemOf(voters, outgoing, learners, learnersNext, removed) is { } problem)
        {
            reader.Fail(problem);
        }

        NodeId[] all = [.. voters.Union(outgoing).Union(learners).Order()];
        if (reader.Error is null && memberCount != all.Length)
        {
            reader.Fail("Each member has one record.");
        }

        var members = new MemberRecord[reader.Error is null ? memberCount : 0];
        for (var i = 0; i < members.Length; i++)
        {
            members[i] = ReadMember(ref reader);
            if (members[i].Node != all[i])
            {
                reader.Fail("Records stand in the order of ids.");
            }
        }

        return reader.Error is null
            ? new Membership(voters, outgoing, learners, learnersNext, members, removed)
            : null;
    }
}
