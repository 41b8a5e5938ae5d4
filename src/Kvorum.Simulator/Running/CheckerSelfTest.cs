using Kvorum.Raft;

namespace Kvorum.Simulator;

/// <summary>
/// The checkers' own test: planted divergences that each must report, and likenesses on which each must be silent. No
/// seed can show that a checker is blind, because nothing is seen then.
/// </summary>
internal static class CheckerSelfTest
{
    private static readonly (string Planted, bool IsWrong, Func<string?> Check)[] Cases =
    [
        ("two nodes with one hash at one index", false, () => Hashes((1, 5, 7), (2, 5, 7))),
        ("two nodes with two hashes at one index", true, () => Hashes((1, 5, 7), (2, 5, 8))),
        ("two nodes with two hashes at two indexes", false, () => Hashes((1, 5, 7), (2, 6, 8))),
        ("two hashes at one index, others between", true, () => Hashes((1, 5, 7), (1, 6, 8), (2, 6, 8), (3, 5, 9))),
        ("a node that finds another hash after a restart", true, () => Hashes((1, 5, 7), (1, 5, 8))),
        ("two leaders of two terms", false, () => Leaders((1, 3), (2, 4))),
        ("two leaders of one term", true, () => Leaders((1, 3), (2, 3))),
        ("an entry in the logs of two nodes", false, () => Entries((1, 7), (2, 7))),
        ("two entries of one term and index", true, () => Entries((1, 7), (2, 8))),
        ("a commit that is synced on two of three", false, () => Synced(1, 2)),
        ("a commit that is synced on one of three", true, () => Synced(1)),
        ("a commit index that stays", false, () => Commits(4, 4)),
        ("a commit index that falls", true, () => Commits(4, 3)),
    ];

    /// <summary>Puts every case to its checker.</summary>
    /// <returns>The first one that was judged wrongly; null when the checkers see what they should.</returns>
    public static Violation? Run()
    {
        foreach (var (planted, isWrong, check) in Cases)
        {
            if (check() is null == isWrong)
            {
                return new Violation(
                    "the checkers' own test", $"{planted}: {(isWrong ? "not reported" : "reported")}.", 0);
            }
        }

        return null;
    }

    private static string? Hashes(params (int Node, ulong Index, ulong Hash)[] seen)
    {
        var state = new StateLedger();
        return First(seen, hash => state.Hashed(hash.Node, new LogIndex(hash.Index), hash.Hash));
    }

    private static string? Leaders(params (int Node, ulong Term)[] seen)
    {
        var leaders = new LeaderPerTerm();
        return First(seen, leader => leaders.Led(leader.Node, 1, new Term(leader.Term)));
    }

    private static string? Entries(params (int Node, ulong Chain)[] seen)
    {
        var book = new EntryBook();
        return First(seen, entry => book.Add(entry.Node, new EntryId(new Term(2), new LogIndex(3)), entry.Chain));
    }

    private static string? Synced(params ulong[] nodes)
    {
        var three = new Membership([new NodeId(1), new NodeId(2), new NodeId(3)], []);
        return SyncedOnQuorum.Check(1, new LogIndex(3), three, node => nodes.Contains(node.Value));
    }

    private static string? Commits(ulong before, ulong after)
    {
        var view = new ReplicaView(
            Role.Follower, new Term(2), new LogIndex(before), EntryId.Start, new EntryId(new Term(2), new LogIndex(9)));
        return NeverBack.Check(1, view, view with { Commit = new LogIndex(after) });
    }

    private static string? First<T>(T[] seen, Func<T, string?> check)
    {
        foreach (var one in seen)
        {
            if (check(one) is { } wrong)
            {
                return wrong;
            }
        }

        return null;
    }
}
