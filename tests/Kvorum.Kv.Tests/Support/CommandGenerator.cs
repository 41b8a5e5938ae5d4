using System.Text;

namespace Kvorum.Kv.Tests;

/// <summary>Random commands from a seed: few keys, so that they meet; every kind, every flag, every refusal.</summary>
internal sealed class CommandGenerator(int seed)
{
    private readonly Random _random = new(seed);
    private readonly ulong[] _sequences = new ulong[4];

    public Command Next(long revision)
    {
        Command command = _random.Next(20) switch
        {
            < 8 => Put(),
            < 11 => Append(),
            < 14 => DeleteRange(),
            < 17 => Txn(revision, depth: 1),
            17 => new Compact(revision - _random.Next(-1, 30)),
            18 => Lease(),
            _ => new ExpireSessions((ulong)_random.Next((int)revision + 1)),
        };
        return _random.Next(4) == 0 ? command with { Session = Stamp() } : command;
    }

    public RangeQuery Range(long revision) => new(Key(), RangeEnd())
    {
        AtRevision = _random.Next(4) == 0 ? Math.Max(0, revision - _random.Next(-1, 12)) : 0,
        Limit = _random.Next(3) == 0 ? _random.Next(5) : RangeQuery.LimitMax,
        SortOrder = (SortOrder)_random.Next(3),
        SortTarget = (SortTarget)_random.Next(5),
        KeysOnly = _random.Next(5) == 0,
        CountOnly = _random.Next(8) == 0,
        ModRevisionMin = _random.Next(4) == 0 ? _random.Next(50) : 0,
        CreateRevisionMax = _random.Next(4) == 0 ? _random.Next(50) : long.MaxValue,
    };

    public byte[] Key()
    {
        var length = 1 + _random.Next(3);
        return Encoding.UTF8.GetBytes(
            string.Concat(Enumerable.Range(0, length).Select(_ => (char)('a' + _random.Next(3)))));
    }

    private SessionStamp Stamp()
    {
        var client = _random.Next(_sequences.Length);
        var sequence = _random.Next(4) switch
        {
            0 => Math.Max(1, _sequences[client]),
            1 => Math.Max(1, _sequences[client] - Math.Min(_sequences[client], (ulong)_random.Next(80))),
            _ => _sequences[client] + 1,
        };
        _sequences[client] = Math.Max(sequence, _sequences[client]);
        return new SessionStamp((UInt128)(client + 1), sequence);
    }

    private Put Put() => new(Key(), Value())
    {
        Lease = _random.Next(5) == 0 ? LeaseId() : 0,
        ReturnPrevious = _random.Next(3) == 0,
    };

    /// <summary>Few, so that they meet; most of them there.</summary>
    private long LeaseId() => _random.Next(1, 4);

    private Command Lease() => _random.Next(6) switch
    {
        0 => new LeaseRevoke(LeaseId()),
        1 => new LeaseRenew(LeaseId()),
        2 => new LeaseExpire(LeaseId(), (ulong)_random.Next(200), (ulong)_random.Next(3)),
        _ => new LeaseGrant(LeaseId(), _random.Next(1, 100)),
    };

    private Append Append() => new(Key(), Encoding.UTF8.GetBytes($"item \"{_random.Next(10)}\""));

    private DeleteRange DeleteRange() => new(Key(), RangeEnd()) { ReturnPrevious = _random.Next(3) == 0 };

    private byte[] Value()
    {
        if (_random.Next(3) == 0)
        {
            return "[\"a\"]"u8.ToArray();
        }

        var value = new byte[_random.Next(200)];
        _random.NextBytes(value);
        return value;
    }

    private byte[] RangeEnd() => _random.Next(6) switch
    {
        0 => [0],
        1 or 2 => Key(),
        _ => [],
    };

    private Txn Txn(long revision, int depth)
    {
        var compares = Enumerable.Range(0, _random.Next(3)).Select(_ => Compare()).ToArray();
        return new Txn(compares, Branch(revision, depth), Branch(revision, depth));
    }

    private TxnOperation[] Branch(long revision, int depth) =>
        [.. Enumerable.Range(0, _random.Next(4)).Select(_ => Operation(revision, depth))];

    private TxnOperation Operation(long revision, int depth) => _random.Next(depth < 3 ? 9 : 8) switch
    {
        < 3 => new TxnOperation { Put = Put() },
        3 => new TxnOperation { Append = Append() },
        < 6 => new TxnOperation { DeleteRange = DeleteRange() },
        < 8 => new TxnOperation { Range = Range(revision) },
        _ => new TxnOperation { Txn = Txn(revision, depth + 1) },
    };

    private Compare Compare()
    {
        var target = (CompareTarget)_random.Next(5);
        return new Compare(Key(), target, (CompareOperator)_random.Next(4))
        {
            RangeEnd = RangeEnd(),
            Number = target == CompareTarget.Value ? 0 : _random.Next(20),
            Value = target == CompareTarget.Value ? Value() : default,
        };
    }
}
