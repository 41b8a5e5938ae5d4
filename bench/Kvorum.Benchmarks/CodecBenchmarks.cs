using System.Buffers;
using BenchmarkDotNet.Attributes;
using Kvorum.Kv;
using Kvorum.Raft;

namespace Kvorum.Benchmarks;

/// <summary>A full message and a single command, to bytes and back.</summary>
public class CodecBenchmarks
{
    private const int Entries = 64;

    private readonly ArrayBufferWriter<byte> _buffer = new(Entries * 512);
    private readonly Put _put = Filler.Put(1);
    private readonly byte[] _command = Filler.Encoded(Filler.Put(1));
    private readonly AppendEntries _message = new(
        new GroupId(1), new NodeId(1), new NodeId(2), new Term(1), EntryId.Start, default, Filler.Entries(Entries, 1));

    private byte[] _frame = [];

    [GlobalSetup]
    public void SetUp()
    {
        MessageCodec.Encode(_message, _buffer);
        _frame = _buffer.WrittenSpan.ToArray();
    }

    [Benchmark]
    public int EncodeSixtyFourEntries()
    {
        _buffer.ResetWrittenCount();
        MessageCodec.Encode(_message, _buffer);
        return _buffer.WrittenCount;
    }

    [Benchmark]
    public Message? DecodeSixtyFourEntries()
    {
        MessageCodec.TryDecode(_frame, out var message, out _);
        return message;
    }

    [Benchmark]
    public int EncodePut()
    {
        CommandCodec.Encode(_put, _command);
        return _command.Length;
    }

    [Benchmark]
    public Command? DecodePut()
    {
        CommandCodec.TryDecode(_command, out var command);
        return command;
    }
}
