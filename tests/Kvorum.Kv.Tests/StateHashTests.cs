using Kvorum.Raft;
using static Kvorum.Kv.Tests.TestMachine;

namespace Kvorum.Kv.Tests;

/// <summary>The running hash: equal for equal logs, different as soon as anything that happened differs.</summary>
public class StateHashTests
{
    private static ulong HashAfter(params Command[] commands)
    {
        using var test = new TestMachine();
        foreach (var command in commands)
        {
            test.Apply(command);
        }

        return test.Machine.StateHash;
    }

    private static Put Put(string key, string value) => new(Bytes(key), Bytes(value));

    [Fact]
    public void The_hash_starts_at_0_and_changes_with_every_entry()
    {
        using var test = new TestMachine();
        var seen = new HashSet<ulong> { test.Machine.StateHash };
        Assert.Contains(0UL, seen);
        for (var i = 0; i < 1_000; i++)
        {
            test.Apply(i % 2 == 0 ? EntryKind.NoOp : EntryKind.Membership, []);
            Assert.True(seen.Add(test.Machine.StateHash));
        }
    }

    [Fact]
    public void Logs_that_differ_in_one_thing_have_different_hashes()
    {
        var put = Put("key", "value");
        var session = new SessionStamp(1, 1);
        ulong[] hashes =
        [
            HashAfter(put),
            HashAfter(Put("kez", "value")),
            HashAfter(Put("key", "valuf")),
            HashAfter(Put("keyv", "alue")),
            HashAfter(Put("key", "value\0")),
            HashAfter(new LeaseGrant(1, 10)),
            HashAfter(new LeaseGrant(2, 10)),
            HashAfter(new LeaseGrant(1, 10), put),
            HashAfter(new LeaseGrant(1, 10), put with { Lease = 1 }),
            HashAfter(new LeaseGrant(1, 10), put with { Lease = 1 }, new LeaseRenew(1)),
            HashAfter(new LeaseGrant(1, 10), put with { Lease = 1 }, new LeaseRevoke(1)),
            HashAfter(put with { Lease = 1 }),
            HashAfter(put with { Session = session }),
            HashAfter(put with { Session = session with { Sequence = 2 } }),
            HashAfter(put with { Session = session with { Client = 2 } }),
            HashAfter(put, put),
            HashAfter(put, new DeleteRange(Bytes("key"), default)),
            HashAfter(put, new DeleteRange(Bytes("kez"), default)),
            HashAfter(put, new Compact(2)),
            HashAfter(put, new Compact(1)),
            HashAfter(put, new Compact(3)),
            HashAfter(put with { Session = session }, new ExpireSessions(0)),
            HashAfter(put with { Session = session }, new ExpireSessions(2)),
            HashAfter(put with { Session = session }, put with { Session = session }),
            HashAfter(put with { Session = session }, Put("key", "other") with { Session = session }),
        ];
        Assert.Equal(hashes.Length, hashes.Distinct().Count());
    }

    [Fact]
    public void The_same_log_gives_the_same_hash_after_every_entry()
    {
        var commands = new CommandGenerator(11);
        using var first = new TestMachine();
        var hashes = new List<ulong>();
        for (var i = 0; i < 2_000; i++)
        {
            first.Apply(commands.Next(first.Machine.Revision));
            hashes.Add(first.Machine.StateHash);
        }

        using var second = new TestMachine();
        var published = new Random(3); // Publishing is the host's business: it must not matter.
        for (var i = 0; i < first.Log.Count; i++)
        {
            second.Machine.Apply(first.Log[i]);
            Assert.Equal(hashes[i], second.Machine.StateHash);
            if (published.Next(5) == 0)
            {
                second.Machine.Publish();
            }
        }
    }

    /// <summary>The hash stands in snapshots: it may only change together with their version.</summary>
    [Fact]
    public void The_hash_is_the_one_the_format_describes()
    {
        var bytes = Enumerable.Range(0, 200).Select(i => (byte)(i * 7)).ToArray();
        foreach (var length in new[] { 0, 1, 8, 15, 16, 17, 31, 32, 63, 64, 65, 96, 100, 200 })
        {
            var hash = new StateHash(5);
            hash.Add(bytes.AsSpan(0, length));
            Assert.Equal(Reference.Bytes(5, bytes[..length]), hash.Value);
        }

        var pair = new StateHash(9);
        pair.Add(1, ulong.MaxValue);
        Assert.Equal(Reference.Mix(9, 1, ulong.MaxValue), pair.Value);
    }

    [Fact]
    public void Every_bit_of_the_input_moves_about_half_of_the_hash()
    {
        var bytes = new byte[80];
        var plain = StateHash.Of(0, bytes);
        for (var bit = 0; bit < bytes.Length * 8; bit++)
        {
            bytes[bit / 8] ^= (byte)(1 << (bit % 8));
            var moved = ulong.PopCount(plain ^ StateHash.Of(0, bytes));
            Assert.InRange(moved, 8UL, 56UL);
            bytes[bit / 8] ^= (byte)(1 << (bit % 8));
        }
    }

    [Fact]
    public void Zeros_of_different_lengths_hash_differently()
    {
        var hashes = Enumerable.Range(0, 300).Select(length => StateHash.Of(0, new byte[length])).ToHashSet();
        Assert.Equal(300, hashes.Count);
    }

    /// <summary>docs/formats.md, "State hash", written once more with plain big numbers.</summary>
    private static class Reference
    {
        private const ulong A = 0x9E37_79B9_7F4A_7C15;
        private const ulong B = 0xC2B2_AE3D_27D4_EB4F;
        private const ulong C = 0x8CB9_2BA7_2F3D_8DD7;

        public static ulong Mix(ulong hash, ulong left, ulong right)
        {
            var product = (UInt128)(left ^ A) * (right ^ hash ^ B);
            return ((ulong)(product >> 64) ^ (ulong)product) + ((hash << 29) | (hash >> 35));
        }

        public static ulong Bytes(ulong hash, byte[] bytes)
        {
            hash = Mix(hash, (ulong)bytes.Length, C);
            var position = 0;
            if (bytes.Length >= 64)
            {
                var other = hash ^ B;
                for (; bytes.Length - position >= 32; position += 32)
                {
                    hash = Mix(hash, Word(bytes, position), Word(bytes, position + 8));
                    other = Mix(other, Word(bytes, position + 16), Word(bytes, position + 24));
                }

                hash = Mix(hash, other, C);
            }

            for (; position < bytes.Length; position += 16)
            {
                hash = Mix(hash, Word(bytes, position), Word(bytes, position + 8));
            }

            return hash;
        }

        private static ulong Word(byte[] bytes, int position)
        {
            var word = 0UL;
            for (var i = 7; i >= 0; i--)
            {
                word = (word << 8) | (position + i < bytes.Length ? bytes[position + i] : 0u);
            }

            return word;
        }
    }
}
