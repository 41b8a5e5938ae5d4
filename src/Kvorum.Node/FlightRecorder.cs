using System.Text;
using Kvorum.Raft;

namespace Kvorum.Node;

/// <summary>
/// Remembers the last <see cref="InputsMax"/> inputs in short form, for a look after the replica stopped. Replica
/// thread writes.
/// </summary>
internal sealed class FlightRecorder
{
    /// <summary>Inputs remembered.</summary>
    public const int InputsMax = 4096;

    private const int FirstInputs = 64;

    // Grows up to its largest size before anything is written over.
    private (long Tick, Input? Input)[] _ring = new (long, Input?)[FirstInputs];
    private long _count;

    public void Record(long tick, Input input)
    {
        // Payloads are not kept alive: a proposal or message with entries is noted by its shape.
        if (_count == _ring.Length && _ring.Length < InputsMax)
        {
            Array.Resize(ref _ring, _ring.Length * 2);
        }

        _ring[_count++ % _ring.Length] = (tick, Shape(input));
    }

    /// <summary>One line per input, oldest first.</summary>
    public string Dump()
    {
        var text = new StringBuilder();
        for (var i = Math.Max(0, _count - _ring.Length); i < _count; i++)
        {
            var (tick, input) = _ring[i % _ring.Length];
            text.Append(tick).Append(' ').Append(input).Append('\n');
        }

        return text.ToString();
    }

    private static Input Shape(Input input) => input switch
    {
        Tick or Persisted or Applied or ReadBarrier or ConnectionLost or ConnectionMade => input,
        Propose propose => new Seen($"Propose {propose.Commands.Length} commands as {propose.RequestId}"),
        Fetched fetched => new Seen($"Fetched {fetched.Entries.Length} entries for {fetched.Peer}"),
        ChunkRead chunk => new Seen($"ChunkRead for {chunk.Peer} at {chunk.Offset}, {chunk.Data.Length} bytes"),
        Receive { Message: var message } => new SeenMessage(message),
        _ => input,
    };

    /// <summary>An input's shape without its payload.</summary>
    private sealed record Seen(string Text) : Input
    {
        public override string ToString() => Text;
    }

    private sealed record SeenMessage : Input
    {
        private readonly string _kind;
        private readonly NodeId _from;
        private readonly Term _term;
        private readonly EntryId _entry;
        private readonly ulong _number;

        public SeenMessage(Message message)
        {
            _kind = message.GetType().Name;
            _from = message.From;
            _term = message.Term;
            (_entry, _number) = message switch
            {
                AppendEntries append => (append.Previous, (ulong)append.Entries.Length),
                AppendReply reply => (reply.Hint, reply.Match.Value),
                Heartbeat heartbeat => (heartbeat.Commit, heartbeat.ReadRound),
                InstallSnapshot install => (install.Snapshot.LastIncluded, install.Offset),
                RequestVote vote => (vote.LastEntry, vote.IsPreVote ? 1UL : 0),
                VoteReply vote => (default, vote.Granted ? 1UL : 0),
                MendRequest mend => (mend.Before, mend.First.Value),
                MendReply mend => (mend.Previous, (ulong)mend.Entries.Length),
                _ => (default, 0UL),
            };
        }

        public override string ToString() => $"{_kind} from {_from} term {_term} entry {_entry} number {_number}";
    }
}
